import { constants } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { fail, ok, type Result } from '../../../shared/failure'
import { deviceNumber } from '../../drives/linux/device-number'
import { compressedSource } from './compressed'
import { compressions } from './decompress'
import { isBootSector, rawSource } from './raw'
import type { Source } from './source'
import { inspectVirtualDisk, unpackVirtualDisk } from './virtual-disk'

/**
 * Opens a file that a drive is to be written from: a disk or an ISO as it is, one compressed with gzip, xz, zstd
 * or zip, or a virtual machine's disk (qcow2, vmdk, vdi, vhdx), which is unpacked first. What it is is told by its first bytes, not by its name.
 * @param path absolute
 * @param everything whether also what no file system uses is written
 * @param signal ends unpacking
 * @returns the source; `disk-missing`, `disk-not-bootable`, `disk-damaged`, `tool-missing`, `not-supported`, `no-space`
 */
export async function openSource(
  path: string,
  everything: boolean,
  signal: AbortSignal,
): Promise<Result<Source>> {
  const opened = await openFile(path)
  if (!opened.ok) return opened
  const file = opened.value
  const source = await recognise(file, path, everything, signal).catch(async (error: unknown) => {
    await file.close()
    throw error
  })
  if (!source.ok) await file.close()
  return source
}

/**
 * Looks at such a file, without unpacking it.
 * @param path absolute
 * @returns the disk's size in bytes, a lower bound when `isSizeKnown` is false; the failures of `openSource`
 */
export async function inspectSource(
  path: string,
): Promise<Result<{ sizeBytes: number; isSizeKnown: boolean }>> {
  const opened = await openFile(path)
  if (!opened.ok) return opened
  const file = opened.value
  try {
    const start = await readStart(file)
    const virtual = await inspectVirtualDisk(start, file, path)
    if (!virtual.ok) return virtual
    if (virtual.value !== null) return ok({ sizeBytes: virtual.value.sizeBytes, isSizeKnown: true })
    const compression = compressions.find(({ magic }) => begins(start, magic))
    if (compression === undefined) {
      if (!isBootSector(start)) return fail('disk-not-bootable', { path })
      return ok({ sizeBytes: (await file.stat()).size, isSizeKnown: true })
    }
    const source = await compressedSource(file, path, compression)
    return source.ok
      ? ok({ sizeBytes: source.value.sizeBytes, isSizeKnown: source.value.isSizeKnown })
      : source
  } finally {
    await file.close()
  }
}

async function recognise(
  file: FileHandle,
  path: string,
  everything: boolean,
  signal: AbortSignal,
): Promise<Result<Source>> {
  const start = await readStart(file)
  const compression = compressions.find(({ magic }) => begins(start, magic))
  if (compression !== undefined) return compressedSource(file, path, compression)
  const virtual = await inspectVirtualDisk(start, file, path)
  if (!virtual.ok) return virtual
  if (virtual.value === null) {
    return isBootSector(start)
      ? ok(await rawSource(file, path, everything))
      : fail('disk-not-bootable', { path })
  }
  const unpacked = await unpackVirtualDisk(file, path, virtual.value.format, signal)
  if (!unpacked.ok) return unpacked
  const { dev } = await file.stat({ bigint: true })
  await file.close()
  const raw = await rawSource(unpacked.value, path, everything)
  return ok({ ...raw, device: deviceNumber(dev) })
}

async function readStart(file: FileHandle): Promise<Buffer> {
  const start = Buffer.alloc(512)
  await file.read(start, 0, start.length, 0)
  return start
}

function begins(start: Buffer, magic: Uint8Array): boolean {
  return start.subarray(0, magic.length).equals(magic)
}

async function openFile(path: string): Promise<Result<FileHandle>> {
  let file: FileHandle
  try {
    // Without O_NONBLOCK the open of a named pipe would wait for ever.
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch {
    return fail('disk-missing', { path })
  }
  const stat = await file.stat()
  if (stat.isFile() && stat.size > 0) return ok(file)
  await file.close()
  return fail('disk-missing', { path })
}
