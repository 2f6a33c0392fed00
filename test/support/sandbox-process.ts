import { stat } from 'node:fs/promises'
import { findKernelTools } from '../../src/main/convert/kernel/tools'
import { openDiskFile } from '../../src/main/helper/disk-file'
import { startProgram } from '../../src/main/helper/run'
import { openSandbox, sandboxed, sealSandbox } from '../../src/main/helper/sandbox'

/** Opens the helper's sandbox for a disk's file (first argument) and runs the commands (second, JSON) in it. */
async function main(): Promise<void> {
  const [disk = '', commands = ''] = process.argv.slice(2)
  const tools = findKernelTools()
  const file = await openDiskFile(disk, 0)
  if (!tools.ok || !file.ok) throw new Error('tools or disk are missing')
  const { signal } = new AbortController()
  const { dev } = await stat('/')
  const opened = await openSandbox(tools.value, file.value.fd, signal)
  const sealed = opened.ok ? await sealSandbox(tools.value, dev, signal) : opened
  if (!sealed.ok) throw new Error(JSON.stringify(sealed.failure))
  const exitCodes: (number | null)[] = []
  let output = ''
  for (const command of JSON.parse(commands) as string[][]) {
    const capabilities = ['chown', 'dac_override', 'fowner', 'fsetid', 'mknod', 'setfcap'] as const
    const ended = await startProgram(tools.value.setpriv, sandboxed(tools.value, capabilities, command))
      .finished
    exitCodes.push(ended.exitCode)
    output = ended.output
  }
  process.stdout.write(JSON.stringify({ exitCodes, output }))
}

void main()
