import { createHash, randomFillSync } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, readFile, stat } from 'node:fs/promises'

const MIB = 1024 * 1024

/** How a drive of the guest is plugged in. */
export type Plug =
  | { kind: 'stick'; port: number; serial: string }
  /** A stick whose maker and model can be chosen, and whose medium can be exchanged as in a card reader. */
  | { kind: 'reader'; port: number; vendor: string; model: string }
  | { kind: 'sata' }
  | { kind: 'card' }

/** A drive of the guest, and the file behind it. */
export interface Stick {
  name: string
  file: string
  plug: Plug
  readOnly?: boolean
  /** Bytes that it takes in a second; as fast as it can when left out. */
  bytesPerSecond?: number
  /** Every write that touches this byte fails. */
  failsAt?: number
}

/** What QEMU's command line and its control protocol take alike (qemu(1), -object, -blockdev, -device). */
export type QemuObject = Record<string, unknown>

/** Where QEMU keeps the limits of a stick that was made with a speed (QEMU docs/throttle.txt, "The throttle block filter"). */
export const speedOf = ({ name }: Stick): { id: string; path: string; property: string } => ({
  id: `${name}-speed`,
  path: `/objects/${name}-speed`,
  property: 'limits',
})

/** QEMU's block nodes for a stick, the last one named like it, and the objects that they need. */
export function nodesOf(stick: Stick): { objects: QemuObject[]; node: QemuObject } {
  const file = { driver: 'file', filename: stick.file }
  const raw = { driver: 'raw', 'read-only': stick.readOnly ?? false, file }
  if (stick.bytesPerSecond !== undefined) {
    const { id } = speedOf(stick)
    const limits = { 'bps-write': stick.bytesPerSecond }
    const throttle = { driver: 'throttle', 'throttle-group': id, file: raw }
    return {
      objects: [{ 'qom-type': 'throttle-group', id, limits }],
      node: { ...throttle, 'node-name': stick.name },
    }
  }
  if (stick.failsAt !== undefined) {
    // An event that has always happened, so the rule holds from the start (QEMU qapi/block-core.json, BlkdebugEvent).
    const rule = { event: 'none', iotype: 'write', sector: Math.floor(stick.failsAt / 512), once: false }
    const failing = { driver: 'blkdebug', image: file, 'inject-error': [rule] }
    return { objects: [], node: { driver: 'raw', 'node-name': stick.name, file: failing } }
  }
  return { objects: [], node: { ...raw, 'node-name': stick.name } }
}

/** The devices that make a plugged-in stick; the last one is named like it. `drive` is the name of its node. */
export function devicesOf({ name, plug }: Stick, drive = name): QemuObject[] {
  const usb = (port: number): object => ({ bus: 'usb.0', port: String(port) })
  switch (plug.kind) {
    case 'stick':
      return [
        { driver: 'usb-storage', ...usb(plug.port), id: name, drive, serial: plug.serial, removable: true },
      ]
    case 'reader': {
      const names = { vendor: plug.vendor, product: plug.model }
      return [
        { driver: 'usb-bot', ...usb(plug.port), id: `${name}-slot` },
        { driver: 'scsi-hd', bus: `${name}-slot.0`, id: name, drive, ...names, removable: true },
      ]
    }
    case 'sata':
      return [{ driver: 'ide-hd', bus: 'ide.0', id: name, drive }]
    case 'card':
      return [
        { driver: 'sdhci-pci', id: `${name}-slot` },
        { driver: 'sd-card', id: name, drive },
      ]
  }
}

/** Writes a file full of old data: noise that repeats every MiB and is another one in every file. */
export async function fillWithOldData(path: string, bytes: number): Promise<void> {
  const noise = randomFillSync(Buffer.alloc(MIB))
  const file = await open(path, 'w')
  try {
    for (let position = 0; position < bytes; position += MIB) {
      await file.write(noise, 0, Math.min(MIB, bytes - position), position)
    }
  } finally {
    await file.close()
  }
}

/**
 * What tells whether a single byte of a file changed.
 * @returns SHA-256 of its content; for a file of which the file system stores nothing, so that it can hold nothing
 *   but zeros, a word that says so: those are too large to be read
 */
export async function fingerprint(path: string): Promise<string> {
  const { blocks } = await stat(path)
  if (blocks === 0) return 'nothing was ever written'
  const hash = createHash('sha256')
  for await (const bytes of createReadStream(path, { highWaterMark: MIB })) hash.update(bytes as Buffer)
  return hash.digest('hex')
}

/** Whether the first and the last MiB of a file are blank. */
export async function hasBlankEnds(path: string): Promise<boolean> {
  const bytes = await readFile(path)
  const zeros = Buffer.alloc(MIB)
  return bytes.subarray(0, MIB).equals(zeros) && bytes.subarray(-MIB).equals(zeros)
}

/** Reads bytes of a file. */
export async function readAt(path: string, position: number, length: number): Promise<Buffer> {
  const file = await open(path)
  try {
    return (await file.read(Buffer.alloc(length), 0, length, position)).buffer
  } finally {
    await file.close()
  }
}

/** Writes bytes into a file, behind the back of whoever uses it. */
export async function writeAt(path: string, position: number, bytes: Buffer): Promise<void> {
  const file = await open(path, 'r+')
  try {
    await file.write(bytes, 0, bytes.length, position)
  } finally {
    await file.close()
  }
}

/** Flips a bit of a file, as a medium does that does not keep what it was given. */
export async function flipBit(path: string, position: number): Promise<void> {
  const byte = await readAt(path, position, 1)
  byte[0] = (byte[0] ?? 0) ^ 1
  await writeAt(path, position, byte)
}
