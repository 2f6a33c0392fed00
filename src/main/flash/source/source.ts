import type { Result } from '../../../shared/failure'

/** Sends bytes of the disk that belong at `position`; resolves when the buffer may be used again. */
export type Send = (position: number, bytes: Uint8Array) => Promise<void>

/** Something that a drive can be written from, opened with the user's own rights. */
export interface Source {
  /** Number of the device on which the opened file lies (`8:16`). */
  device: string
  /** Bytes of the disk; a lower bound when `isSizeKnown` is false. At least 1. */
  sizeBytes: number
  isSizeKnown: boolean
  /** Bytes that `send` will send, or null while unknown. */
  dataBytes: number | null
  /**
   * Sends what must be written, in ascending order, at multiples of 4096 bytes but for the disk's end.
   * @returns null; `disk-changed` or `disk-damaged`. Throws the signal's reason
   */
  send(send: Send, signal: AbortSignal): Promise<Result<null>>
  /** How much of the file was read, 0 to 1, where the bytes to come are unknown. */
  fractionRead(): number
  /** Lets go of everything. */
  close(): Promise<void>
}
