import { execFile } from 'node:child_process'
import { join } from 'node:path'
import type { Drive } from '../../../shared/drive'
import { fail, ok, type Result } from '../../../shared/failure'
import type { Needed } from '../linux/drives'
import { windowsDrives, windowsStateSchema, type WindowsState } from './drives'

/**
 * One look at everything. It is a fixed text: nothing of the machine or of the person gets into it. The arrays are
 * made with @() because PowerShell hands a single object over as itself.
 */
const script = `
$ErrorActionPreference = 'Stop'
[Console]::OutputEncoding = [Text.Encoding]::UTF8
$disks = @(Get-Disk | Select-Object Number, Manufacturer, Model, FriendlyName, SerialNumber, UniqueId, Path, Location, Size, BusType, IsSystem, IsBoot, BootFromDisk, IsClustered, IsReadOnly)
$partitions = @(Get-Partition | Select-Object DiskNumber, PartitionNumber, Offset, Size, GptType, MbrType, AccessPaths)
$volumes = @(Get-Volume | Select-Object Path, FileSystemLabel, FileSystem, Size, SizeRemaining)
$systemPaths = @($env:SystemRoot) + @(Get-CimInstance Win32_PageFileUsage | ForEach-Object { $_.Name })
ConvertTo-Json -Compress -Depth 4 @{ disks = $disks; partitions = $partitions; volumes = $volumes; systemPaths = $systemPaths }
`

/** The whole drives of this Windows machine; `tool-failed`. Not yet proven on hardware. */
export async function findWindowsDrives(needed: Needed): Promise<Result<Drive[]>> {
  const state = await askPowerShell()
  return state.ok ? ok(windowsDrives(state.value, needed)) : state
}

/** By its full path: PATH would let somebody else's program answer. */
export const POWERSHELL = join(
  process.env['SystemRoot'] ?? 'C:\\Windows',
  'System32',
  'WindowsPowerShell',
  'v1.0',
  'powershell.exe',
)

function askPowerShell(): Promise<Result<WindowsState>> {
  const words = ['-NoProfile', '-NonInteractive', '-Command', script]
  return new Promise((resolve) => {
    const options = { maxBuffer: 16 * 1024 * 1024, windowsHide: true }
    execFile(POWERSHELL, words, options, (error, stdout, stderr) => {
      const exitCode = typeof error?.code === 'number' ? error.code : null
      const parsed = windowsStateSchema.safeParse(error === null ? jsonOf(stdout) : null)
      if (parsed.success) resolve(ok(parsed.data))
      else resolve(fail('tool-failed', { tool: POWERSHELL, exitCode, output: stderr.trim() }))
    })
  })
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
