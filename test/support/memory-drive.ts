import { expect } from 'vitest'
import { encodeGpt } from '../../src/main/disk/gpt'
import { DriveError } from '../../src/main/helper/drive-io'
import { type FlashDevice } from '../../src/main/helper/flash-device'
import { HEAD_BYTES } from '../../src/main/helper/flash-track'
import type { WritePlan } from '../../src/main/helper/flash-write'

export const MIB = 1024 * 1024
/** What a drive holds before it is written. */
export const OLD = 0xaa

export interface Memory extends FlashDevice {
  content: Buffer
  log: { kind: 'write' | 'read' | 'flush'; position: number; length: number }[]
  /** Called before each operation; may throw. */
  fault: (kind: 'write' | 'read', position: number, count: number) => void
  /** Pulled in the middle of a write: so many bytes of it are stored, and nothing after it. */
  pulledAt: { count: number; bytes: number } | null
  /** Never answers from this operation on. */
  hangsAt: number
  /** Called with the bytes of each write. */
  onStored: (bytes: number) => void
  /** The most operations of a kind that were under way at once. */
  most: { write: number; read: number }
  present: boolean
}

/** A drive of old data in memory. */
export function memoryDrive(sizeBytes: number, sectorBytes = 512): Memory {
  let count = 0
  const underWay = { write: 0, read: 0 }
  const drive: Memory = {
    content: Buffer.alloc(sizeBytes, OLD),
    log: [],
    fault: () => undefined,
    pulledAt: null,
    hangsAt: Infinity,
    onStored: () => undefined,
    most: { write: 0, read: 0 },
    present: true,
    sizeBytes,
    sectorBytes,
    write: (bytes, position) =>
      operate('write', bytes, position, () => {
        const { pulledAt } = drive
        const isPulled = pulledAt?.count === count
        drive.content.set(isPulled ? bytes.subarray(0, pulledAt.bytes) : bytes, position)
        drive.onStored(bytes.length)
        if (!isPulled) return
        drive.present = false
        throw new DriveError(position, 'ENODEV')
      }),
    read: (bytes, position) =>
      operate('read', bytes, position, () => {
        bytes.set(drive.content.subarray(position, position + bytes.length))
      }),
    flush() {
      drive.log.push({ kind: 'flush', position: 0, length: 0 })
      return Promise.resolve()
    },
    isPresent: () => Promise.resolve(drive.present),
  }
  async function operate(
    kind: 'write' | 'read',
    bytes: Uint8Array,
    position: number,
    work: () => void,
  ): Promise<void> {
    underWay[kind] += 1
    drive.most[kind] = Math.max(drive.most[kind], underWay[kind])
    try {
      // As long as it takes others to come: how many there are at once is for the caller to say.
      await new Promise((resolve) => setImmediate(resolve))
      check(bytes, position)
      count += 1
      if (count > (drive.pulledAt?.count ?? Infinity)) throw new DriveError(position, 'ENODEV')
      if (count >= drive.hangsAt) await new Promise(() => undefined)
      drive.fault(kind, position, count)
      drive.log.push({ kind, position, length: bytes.length })
      work()
    } finally {
      underWay[kind] -= 1
    }
  }
  function check(bytes: Uint8Array, position: number): void {
    if (position % sectorBytes !== 0 || bytes.length % sectorBytes !== 0) throw new Error('EINVAL')
    if (position + bytes.length > sizeBytes) throw new Error('ENOSPC')
  }
  return drive
}

export function pattern(length: number): Buffer {
  const bytes = Buffer.alloc(length)
  for (let at = 0; at < length; at += 4)
    bytes.writeUInt32LE((at * 2654435761) >>> 0, Math.min(at, length - 4))
  return bytes
}

/** All of a disk to one drive. */
export function planFor(
  device: FlashDevice,
  disk: Buffer,
  changes: Partial<WritePlan> = {},
  name = '/dev/x',
): WritePlan {
  const { length } = disk
  const targets = [{ device, name }]
  return {
    targets,
    sizeBytes: length,
    isSizeKnown: true,
    dataBytes: length,
    order: 'ascending',
    verify: true,
    ...changes,
  }
}

export const written = { ok: true, value: [null] }
export const failed = (code: string, facts: object = {}): object => ({
  ok: true,
  value: [expect.objectContaining({ code, facts: expect.objectContaining(facts) as object })],
})

export const isBlank = (drive: Memory): boolean => isAll(drive.content.subarray(0, HEAD_BYTES), 0)
export const isAll = (bytes: Buffer, value: number): boolean =>
  bytes.equals(Buffer.alloc(bytes.length, value))

/** A disk with a whole GUID partition table, its second one at its end. */
export function gptDisk(bytes: number): Buffer {
  const ROOT = '0fc63daf-8483-4772-8e79-3d69d8477de4'
  const disk = pattern(bytes)
  const sectors = bytes / 512
  const start = 2048
  const entry = {
    typeGuid: ROOT,
    guid: ROOT,
    start,
    count: sectors - 34 - start,
    attributes: 0n,
    name: 'root',
  }
  const table = encodeGpt(sectors, ROOT, new Uint8Array(440), [entry])
  disk.set(table.head, 0)
  disk.set(table.tail, table.tailStart * 512)
  return disk
}
