/** The part of yauzl 3 that is used (its README); it brings no types. */
declare module 'yauzl' {
  import type { Readable } from 'node:stream'

  export interface Entry {
    fileName: string
    /** Bytes. */
    uncompressedSize: number
    crc32: number
  }
  export interface ZipFile {
    eachEntry(): AsyncIterable<Entry>
    openReadStreamPromise(entry: Entry): Promise<Readable>
  }
  export function fromFdPromise(fd: number, options: { autoClose: boolean }): Promise<ZipFile>
}
