import { Buffer } from 'node:buffer'
import { createHash, type Hash } from 'node:crypto'
import type { TarEntry, TarHandler } from '../tar/entry'

const ZEROES = Buffer.alloc(1024 * 1024)

/**
 * The SHA-256 of each file of an archive, taken while it passes. A hash costs about as much time as all the rest:
 * it is taken on request.
 */
export class Manifest {
  private readonly sums = new Map<string, string>()
  private entry: TarEntry | null = null
  private hash: Hash | null = null
  /** Where in the file the next data belongs, and in which of its parts. */
  private position = 0
  private segment = 0

  /** Passes everything on and listens. */
  watch(handler: TarHandler): TarHandler {
    return {
      entry: (entry) => {
        handler.entry(entry)
        if (entry.type === 'hardlink') this.sums.set(entry.path, this.sums.get(entry.target) ?? '')
        else this.sums.delete(entry.path)
        if (entry.type !== 'file') return
        this.entry = entry
        this.hash = createHash('sha256')
        this.position = 0
        this.segment = 0
      },
      data: (bytes, start, end) => {
        handler.data(bytes, start, end)
        this.take(bytes.subarray(start, end))
      },
      endFile: () => {
        handler.endFile()
        if (this.entry === null || this.hash === null) return
        this.hole(this.entry.size)
        this.sums.set(this.entry.path, this.hash.digest('hex'))
      },
    }
  }

  /** Lines of `sha256sum`, sorted by path; names are bytes, one to a character. */
  text(): string {
    const lines = [...this.sums].filter(([, sum]) => sum !== '').sort(([a], [b]) => (a < b ? -1 : 1))
    return lines.map(([path, sum]) => `${sum}  ${path}\n`).join('')
  }

  private take(bytes: Uint8Array): void {
    const segments = this.entry?.segments ?? null
    if (segments === null) {
      this.hash?.update(bytes)
      this.position += bytes.length
      return
    }
    let from = 0
    while (from < bytes.length) {
      const offset = segments[this.segment * 2] as number
      const end = offset + (segments[this.segment * 2 + 1] as number)
      if (this.position >= end) {
        this.segment++
        continue
      }
      this.hole(offset)
      const count = Math.min(end - this.position, bytes.length - from)
      this.hash?.update(bytes.subarray(from, from + count))
      this.position += count
      from += count
    }
  }

  /** Zeroes up to a position of the file. */
  private hole(end: number): void {
    while (this.position < end) {
      const count = Math.min(end - this.position, ZEROES.length)
      this.hash?.update(ZEROES.subarray(0, count))
      this.position += count
    }
  }
}
