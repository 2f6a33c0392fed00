import { startMachine } from '../../src/main/preview/machine'

/** Starts a machine on the disk of its argument, says so, and holds it until it is killed. */
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
  await started.value.ended
}

void main()
