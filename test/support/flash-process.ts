import { setHelperPaths } from '../../src/main/elevation/helper-client'
import { flashDisk } from '../../src/main/flash/flash'
import { findDrive, targetFor, testContext } from './flash'

/** What flash-process writes; its one argument, as JSON. */
export interface FlashOrder {
  executable: string
  helper: string
  isInstalled: boolean
  diskPath: string
  device: string
  unmount: boolean
}

/**
 * Writes a disk to a drive in a process of its own, which an ordinary user may be given. Progress is told in lines of
 * JSON on standard output, the result is the last; a line on standard input cancels.
 */
async function main(): Promise<void> {
  const order = JSON.parse(process.argv[2] ?? '') as FlashOrder
  setHelperPaths(order)
  const { diskPath, device, unmount } = order
  const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`)
  const job = testContext((phase, bytesDone) => {
    say({ phase, bytesDone })
  })
  process.stdin.once('data', () => {
    job.abort.abort(new Error('cancelled'))
  })
  try {
    const targets = [targetFor(await findDrive(device), { unmount })]
    const how = { needed: [], everything: false, verify: true, eject: false }
    say({ result: await flashDisk(job.context, { diskPath, targets, ...how }) })
  } catch (error) {
    say({ thrown: String(error) })
  } finally {
    await job.close()
  }
  process.stdin.destroy()
}

void main()
