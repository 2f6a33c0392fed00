import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { z } from 'zod'
import { fail, ok, type Result } from '../../../shared/failure'
import { POWERSHELL } from '../../drives/windows'

/** The volumes of a disk, locked and dismounted. */
export interface HeldVolumes {
  /** Of the disk. */
  sizeBytes: number
  sectorBytes: number
  /** Lets them go; Windows then mounts what is on the disk. */
  release(): Promise<void>
}

/**
 * Locks and dismounts each volume of a disk and holds them until its input ends, which it also does when whoever
 * started it dies. Node cannot call DeviceIoControl; PowerShell can, by a few declarations. It is a fixed text: the
 * number of the disk comes as a line of input. FSCTL_LOCK_VOLUME (0x90018) fails when anybody has a file of the volume
 * open, FSCTL_DISMOUNT_VOLUME (0x90020) comes after it (Windows, winioctl.h; "FSCTL_LOCK_VOLUME control code").
 */
const script = `
$ErrorActionPreference = 'Stop'
[Console]::OutputEncoding = [Text.Encoding]::UTF8
Add-Type -Namespace Slipway -Name Kernel -MemberDefinition @'
[DllImport("kernel32.dll", CharSet = CharSet.Unicode, SetLastError = true)]
public static extern Microsoft.Win32.SafeHandles.SafeFileHandle CreateFileW(string name, uint access, uint share, System.IntPtr security, uint disposition, uint flags, System.IntPtr template);
[DllImport("kernel32.dll", SetLastError = true)]
public static extern bool DeviceIoControl(Microsoft.Win32.SafeHandles.SafeFileHandle handle, uint code, System.IntPtr input, uint inputLength, System.IntPtr output, uint outputLength, out uint returned, System.IntPtr overlapped);
'@
function Stop-Busy($path) {
  $code = [Runtime.InteropServices.Marshal]::GetLastWin32Error()
  ConvertTo-Json -Compress @{ busy = $path; code = $code }
  exit 1
}
$number = [int][Console]::In.ReadLine()
$disk = Get-Disk -Number $number
$held = @()
foreach ($partition in @(Get-Partition -DiskNumber $number -ErrorAction SilentlyContinue)) {
  foreach ($path in @($partition.AccessPaths | Where-Object { $_ -like '\\\\?\\Volume*' })) {
    $name = $path.TrimEnd('\\')
    $handle = [Slipway.Kernel]::CreateFileW($name, 3221225472, 3, [IntPtr]::Zero, 3, 0, [IntPtr]::Zero)
    if ($handle.IsInvalid) { Stop-Busy $path }
    $returned = [uint32]0
    foreach ($code in @(0x90018, 0x90020)) {
      if (-not [Slipway.Kernel]::DeviceIoControl($handle, $code, [IntPtr]::Zero, 0, [IntPtr]::Zero, 0, [ref]$returned, [IntPtr]::Zero)) { Stop-Busy $path }
    }
    $held += $handle
  }
}
ConvertTo-Json -Compress @{ held = $held.Count; size = $disk.Size; sector = $disk.LogicalSectorSize }
[Console]::In.ReadLine() | Out-Null
foreach ($handle in $held) { $handle.Close() }
`

const answerSchema = z.union([
  z.object({ held: z.number(), size: z.number().positive(), sector: z.number().positive() }),
  z.object({ busy: z.string(), code: z.number() }),
])

/**
 * Locks and dismounts all volumes of a disk.
 * @param number of the disk
 * @param start starts the program that holds them; tests start another with what PowerShell would print
 * @returns the volumes, held until they are released or this process ends; `drive-busy` with the volume that is in
 *   use, `tool-failed`. Not yet proven on hardware
 */
export async function holdVolumes(number: number, start = startPowerShell): Promise<Result<HeldVolumes>> {
  const keeper = start(script)
  const ended = new Promise<null>((resolve) => {
    keeper.once('error', () => resolve(null))
    keeper.once('exit', () => resolve(null))
  })
  let errors = ''
  keeper.stderr?.setEncoding('utf8').on('data', (text: string) => {
    errors = `${errors}${text}`.slice(-4000)
  })
  // A keeper that has gone is told by its answer.
  keeper.stdin?.on('error', () => undefined)
  keeper.stdin?.write(`${number}\n`)
  const lines = keeper.stdout === null ? null : createInterface({ input: keeper.stdout })
  const line = lines === null ? null : once(lines, 'line').then(([text]) => String(text))
  const answer = answerSchema.safeParse(jsonOf(await Promise.race([line, ended])))
  const release = async (): Promise<void> => {
    keeper.stdin?.end()
    await ended
  }
  if (answer.success && 'held' in answer.data) {
    return ok({ sizeBytes: answer.data.size, sectorBytes: answer.data.sector, release })
  }
  await release()
  if (answer.success && 'busy' in answer.data) {
    const { busy, code } = answer.data
    const device = `\\\\.\\PhysicalDrive${number}`
    return fail('drive-busy', { device, detail: `${busy} is in use (Windows error ${code})` })
  }
  return fail('tool-failed', { tool: POWERSHELL, exitCode: keeper.exitCode, output: errors.trim() })
}

function startPowerShell(text: string): ChildProcess {
  const words = ['-NoProfile', '-NonInteractive', '-Command', text]
  return spawn(POWERSHELL, words, { stdio: ['pipe', 'pipe', 'pipe'], windowsHide: true })
}

function jsonOf(text: string | null): unknown {
  try {
    return text === null ? null : JSON.parse(text)
  } catch {
    return null
  }
}
