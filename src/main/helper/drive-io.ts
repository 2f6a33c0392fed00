import type { FileHandle } from 'node:fs/promises'

/** A read or write that the drive refused; `offset` in bytes. */
export class DriveError extends Error {
  constructor(
    readonly offset: number,
    readonly detail: string,
  ) {
    super(`drive error at byte ${offset}: ${detail}`)
  }
}

/** Writes all of `bytes` at `position` (bytes). Throws DriveError. */
export async function writeAll(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await guarded(
      position + done,
      handle.write(bytes, done, bytes.length - done, position + done),
    )
    if (bytesWritten === 0) throw new DriveError(position + done, 'nothing written')
    done += bytesWritten
  }
}

/** Fills `bytes` from `position` (bytes). Throws DriveError. */
export async function readAll(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesRead } = await guarded(
      position + done,
      handle.read(bytes, done, bytes.length - done, position + done),
    )
    if (bytesRead === 0) throw new DriveError(position + done, 'nothing read')
    done += bytesRead
  }
}

/** What an operation of the file system throws, as a DriveError at `offset` (bytes). */
export async function guarded<T>(offset: number, operation: Promise<T>): Promise<T> {
  try {
    return await operation
  } catch (error) {
    throw new DriveError(offset, codeOf(error))
  }
}

/** The system's name of an error, `EBUSY`. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error)
}
