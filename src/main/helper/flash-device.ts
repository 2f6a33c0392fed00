import { constants } from 'node:fs'
import { open, readFile, realpath, type FileHandle } from 'node:fs/promises'
import { fail, ok, type Result } from '../../shared/failure'
import { deviceNumber } from '../drives/linux/device-number'
import { runTool } from '../drives/linux/tools'
import { codeOf, DriveError, guarded, readAll, writeAll } from './drive-io'

/** A drive that is ours alone. Positions, lengths and buffers are multiples of `sectorBytes`. */
export interface FlashDevice {
  sizeBytes: number
  /** Logical block size. */
  sectorBytes: number
  /** Throws DriveError. */
  write(bytes: Uint8Array, position: number): Promise<void>
  /** Fills `bytes` from the medium, not from the kernel's cache when `flush` was called before. Throws DriveError. */
  read(bytes: Uint8Array, position: number): Promise<void>
  /** Everything written is on the medium, and nothing of it in the kernel's cache. Throws DriveError. */
  flush(): Promise<void>
  /** Whether the medium that was opened is still there. */
  isPresent(): Promise<boolean>
}

const PAGE_BYTES = 65_536

/**
 * Makes buffers that O_DIRECT takes: ordinary Buffers lie at any address, the
 * memory of WebAssembly at a page (open(2), "O_DIRECT"; WebAssembly pages are 64 KiB).
 * @param count how many
 * @param length bytes of each, a multiple of 64 KiB
 * @returns buffers of zeros
 */
export function alignedBuffers(count: number, length: number): Uint8Array[] {
  const memory = new WebAssembly.Memory({ initial: (count * length) / PAGE_BYTES })
  return Array.from({ length: count }, (_, index) => new Uint8Array(memory.buffer, index * length, length))
}

export interface ClaimedDevice {
  device: FlashDevice
  /** `8:16` of the open descriptor. */
  majorMinor: string
  /** Where the kernel has the device behind it, by its place on the bus; null for one without a bus. */
  busPath: string | null
  /** Lets the drive go; a second call does nothing. */
  close(): Promise<void>
}

/**
 * Opens a drive for writing with O_EXCL, which on a block device means: only
 * when neither it nor a partition of it is mounted or held (open(2)). There is
 * no second try without it.
 * @param path of the device node; a link is refused
 * @param useDirect whether to try O_DIRECT; tests of the way around it say no
 * @returns the drive; `drive-busy`, `drive-gone`, `drive-refused` or `drive-io`
 */
export async function claimDevice(path: string, useDirect = true): Promise<Result<ClaimedDevice>> {
  let claim: FileHandle
  try {
    claim = await open(path, constants.O_RDWR | constants.O_EXCL | constants.O_NOFOLLOW)
  } catch (error) {
    return openFailure(path, error)
  }
  const stat = await claim.stat({ bigint: true })
  if (!stat.isBlockDevice()) {
    await claim.close()
    return fail('drive-refused', { device: path, reasons: ['type'] })
  }
  const majorMinor = deviceNumber(stat.rdev)
  const sysfs = `/sys/dev/block/${majorMinor}`
  const number = async (file: string): Promise<number> => Number(await readFile(`${sysfs}/${file}`, 'utf8'))
  const sequence = (): Promise<string | null> => readFile(`${sysfs}/diskseq`, 'utf8').catch(() => null)

  // The same inode again: a claimed device cannot be exchanged behind its number, its name could be.
  const direct = useDirect ? await openDirect(claim) : null
  const handle = direct ?? claim
  const opened = await sequence()
  const busPath = await realpath(`${sysfs}/device`).catch(() => null)
  let isClosed = false
  const close = async (): Promise<void> => {
    if (isClosed) return
    isClosed = true
    await direct?.close()
    await claim.close()
  }
  try {
    const device: FlashDevice = {
      sizeBytes: (await number('size')) * 512,
      sectorBytes: await number('queue/logical_block_size'),
      async write(bytes, position) {
        // A medium that is exchanged fails one command; when the kernel itself asked first, the next write would reach
        // the new medium (drivers/scsi/sd.c, sd_check_events), and its sequence number alone tells.
        if ((await sequence()) !== opened) throw new DriveError(position, 'another medium is in the drive')
        await writeAll(handle, bytes, position)
      },
      read: (bytes, position) => readAll(handle, bytes, position),
      async flush() {
        await guarded(0, claim.sync())
        if (direct !== null) return
        // BLKFLSBUF, which Node cannot call: without it a read would be answered from memory.
        const flushed = await runTool('blockdev', ['--flushbufs', path])
        if (!flushed.ok) throw new DriveError(0, `blockdev --flushbufs: ${JSON.stringify(flushed.failure)}`)
      },
      async isPresent() {
        // A drive that is gone has no entry, or one with no size, under its number.
        return (await number('size').catch(() => 0)) > 0 && (await sequence()) === opened
      },
    }
    return ok({ device, majorMinor, busPath, close })
  } catch {
    await close()
    return fail('drive-gone', { device: path })
  }
}

async function openDirect(claim: FileHandle): Promise<FileHandle | null> {
  try {
    return await open(`/proc/self/fd/${claim.fd}`, constants.O_RDWR | constants.O_DIRECT)
  } catch {
    return null
  }
}

/** What it means that a drive could not be opened: `drive-busy`, `drive-refused`, `drive-gone` or `drive-io`. */
export function openFailure(device: string, error: unknown): Result<never> {
  const code = codeOf(error)
  if (code === 'EBUSY') return fail('drive-busy', { device, detail: code })
  if (code === 'EROFS' || code === 'EACCES' || code === 'EPERM') {
    return fail('drive-refused', { device, reasons: ['read-only'] })
  }
  if (code === 'ENOMEDIUM') return fail('drive-refused', { device, reasons: ['no-medium'] })
  if (code === 'ENOENT' || code === 'ENXIO' || code === 'ENODEV') return fail('drive-gone', { device })
  return fail('drive-io', { device, offset: 0, detail: code })
}
