import { open } from 'node:fs/promises'
import { fail, ok, type Result } from '../../shared/failure'

/** Where the boot record has its signature, 55 AA (UEFI specification, 5.2.1, "Legacy Master Boot Record"). */
const SIGNATURE_OFFSET = 510

/**
 * Looks whether a file can be a disk at all.
 * @param path absolute
 * @returns its size in bytes; `disk-missing`, `disk-not-bootable`
 */
export async function checkDisk(path: string): Promise<Result<number>> {
  let file
  try {
    file = await open(path, 'r')
  } catch {
    return fail('disk-missing', { path })
  }
  try {
    const stat = await file.stat()
    if (!stat.isFile()) return fail('disk-missing', { path })
    const signature = Buffer.alloc(2)
    await file.read(signature, 0, 2, SIGNATURE_OFFSET)
    return signature.readUInt16BE() === 0x55aa ? ok(stat.size) : fail('disk-not-bootable', { path })
  } finally {
    await file.close()
  }
}
