import { Buffer } from 'node:buffer'

/**
 * What is kept of each file while a file system is made: numbers side by side and texts in one heap, tens of bytes
 * where objects and strings take hundreds. They grow page by page, and nothing is ever copied to a larger place.
 */

/** Numbers in a page of a column: two to this power. An index is less than 2^32. */
const PAGE_BITS = 12
const PAGE = 2 ** PAGE_BITS

/** One number for each index; those that were never set are 0 and cost nothing. */
export class Column {
  private readonly pages: (Uint16Array | Uint32Array | Float64Array | undefined)[] = []

  /** @param page what the numbers are kept in, and so their range */
  constructor(private readonly page: new (length: number) => Uint16Array | Uint32Array | Float64Array) {}

  get(index: number): number {
    const page = this.pages[index >>> PAGE_BITS]
    return page === undefined ? 0 : (page[index & (PAGE - 1)] as number)
  }

  set(index: number, value: number): void {
    const number = index >>> PAGE_BITS
    let page = this.pages[number]
    if (page === undefined) {
      if (value === 0) return
      // An array without gaps is the quickest.
      while (this.pages.length < number) this.pages.push(undefined)
      page = new this.page(PAGE)
      this.pages[number] = page
    }
    page[index & (PAGE - 1)] = value
  }
}

/** Bytes of a page of texts. */
const HEAP_PAGE = 64 * 1024
/** Before each text. */
const LENGTH = 2

/** Texts of at most 4,096 bytes, one to a character, each under a number that is not 0. They are never removed. */
export class Texts {
  private readonly pages: Buffer[] = []
  private used = HEAP_PAGE

  /** Keeps a text and answers its number. */
  add(text: string): number {
    const needed = LENGTH + text.length
    if (this.used + needed > HEAP_PAGE) {
      this.pages.push(Buffer.allocUnsafeSlow(HEAP_PAGE))
      // No text has the number 0.
      this.used = this.pages.length === 1 ? LENGTH : 0
    }
    const page = this.pages.at(-1) as Buffer
    page.writeUInt16LE(text.length, this.used)
    page.write(text, this.used + LENGTH, 'latin1')
    const number = (this.pages.length - 1) * HEAP_PAGE + this.used
    this.used += needed
    return number
  }

  get(number: number): string {
    const page = this.pageOf(number)
    const at = (number % HEAP_PAGE) + LENGTH
    return page.toString('latin1', at, at + this.lengthOf(number))
  }

  /** Writes the bytes of a text at `to` of `target`. */
  put(number: number, target: Uint8Array, to: number): void {
    const page = this.pageOf(number)
    const at = (number % HEAP_PAGE) + LENGTH
    const length = this.lengthOf(number)
    for (let i = 0; i < length; i++) target[to + i] = page[at + i] as number
  }

  /** Characters of a text. */
  lengthOf(number: number): number {
    const page = this.pageOf(number)
    const at = number % HEAP_PAGE
    return (page[at] as number) | ((page[at + 1] as number) << 8)
  }

  /** Whether a text is kept under a number. */
  is(number: number, text: string): boolean {
    if (this.lengthOf(number) !== text.length) return false
    const page = this.pageOf(number)
    const at = (number % HEAP_PAGE) + LENGTH
    for (let i = 0; i < text.length; i++) if (page[at + i] !== text.charCodeAt(i)) return false
    return true
  }

  private pageOf(number: number): Buffer {
    return this.pages[Math.floor(number / HEAP_PAGE)] as Buffer
  }
}
