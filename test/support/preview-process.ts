import { startMachine } from '../../src/main/preview/machine'

/** Starts a machine on the disk of its first argument, says so, and holds it until it is killed, or stops it when the second is `stop`. */
async function main(): Promise<void> {
  const started = await startMachine({
    diskPath: process.argv[2] ?? '',
    firmware: 'bios',
    memoryBytes: 256 * 2 ** 20,
    signal: new AbortController().signal,
    log: () => undefined,
  })
  if (!started.ok) throw new Error(JSON.stringify(started.failure))
  process.stdout.write('running\n')
  if (process.argv[3] === 'stop') await started.value.stop()
  const { reason } = await started.value.ended
  process.stdout.write(`${reason}\n`)
}

void main()
