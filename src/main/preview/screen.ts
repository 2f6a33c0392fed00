import { deflateSync } from 'node:zlib'
import { crc32 } from '../disk/crc'
import { GLYPH_HEIGHT, GLYPH_WIDTH, glyphs } from './glyphs'

/** A picture of the screen: three bytes a pixel, red, green, blue, row by row from the top. */
export interface ScreenPicture {
  width: number
  height: number
  pixels: Buffer
}

/** Bits of a cell's 128 in which it may differ from a known glyph: fonts of one family differ by a serif. */
const GLYPH_TOLERANCE = 6
/** Stands for a cell that is no known character. */
const UNKNOWN = '\ufffd'
/** Stands for a cell of more than two colours, which is a part of a picture and no letter of a console. */
const PICTURE_CELL = '\ufffc'

/**
 * Reads a binary PPM with 8 bits a channel (netpbm's ppm(5)), as QEMU's screendump writes it.
 * @returns null when it is not one or is cut short
 */
export function parsePpm(file: Buffer): ScreenPicture | null {
  const header = /^P6\s+(\d+)\s+(\d+)\s+255\s/.exec(file.subarray(0, 64).toString('latin1'))
  if (header === null) return null
  const width = Number(header[1])
  const height = Number(header[2])
  const pixels = file.subarray(header[0].length, header[0].length + width * height * 3)
  return pixels.length === width * height * 3 ? { width, height, pixels } : null
}

function pngChunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const frame = Buffer.alloc(body.length + 8)
  frame.writeUInt32BE(data.length, 0)
  body.copy(frame, 4)
  frame.writeUInt32BE(crc32(body), body.length + 4)
  return frame
}

/** Encodes a picture as PNG (W3C PNG, 8-bit truecolour). QEMU writes PNG only from 7.1 on. */
export function encodePng({ width, height, pixels }: ScreenPicture): Buffer {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  // 8 bits a channel, colour type 2 (truecolour); the default methods after it are all 0.
  header.set([8, 2], 8)
  const stride = width * 3
  // Each row begins with its filter type, 0 for none.
  const rows = Buffer.alloc((stride + 1) * height)
  for (let row = 0; row < height; row++) {
    pixels.copy(rows, row * (stride + 1) + 1, row * stride, (row + 1) * stride)
  }
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    pngChunk('IHDR', header),
    pngChunk('IDAT', deflateSync(rows, { level: 6 })),
    pngChunk('IEND', Buffer.alloc(0)),
  ])
}

/** Reads bits off a cell: a pixel is set when it differs from the cell's top left one, which no letter touches. */
function cellReader({
  width,
  pixels,
}: ScreenPicture): (left: number, top: number, bits: Uint8Array) => boolean {
  return (left, top, bits) => {
    const first = (top * width + left) * 3
    const background = pixels.readUIntBE(first, 3)
    let ink = background
    for (let row = 0; row < GLYPH_HEIGHT; row++) {
      let byte = 0
      let offset = first + row * width * 3
      for (let column = 0; column < GLYPH_WIDTH; column++, offset += 3) {
        const colour =
          ((pixels[offset] ?? 0) << 16) | ((pixels[offset + 1] ?? 0) << 8) | (pixels[offset + 2] ?? 0)
        byte <<= 1
        if (colour === background) continue
        if (ink === background) ink = colour
        else if (colour !== ink) return false
        byte |= 1
      }
      bits[row] = byte
    }
    return true
  }
}

function wordsOf(bits: Uint8Array): Uint32Array {
  return Uint32Array.from({ length: WORDS }, (_, index) =>
    Buffer.from(bits.buffer, bits.byteOffset, bits.length).readUInt32BE(index * 4),
  )
}

/** 32-bit words of a cell. */
const WORDS = (GLYPH_WIDTH * GLYPH_HEIGHT) / 32

function differingBits(first: Uint32Array, second: Uint32Array): number {
  let count = 0
  for (let index = 0; index < WORDS; index++) {
    // Counted in parallel, two bits, four, then eight at a time.
    let bits = (first[index] ?? 0) ^ (second[index] ?? 0)
    bits -= (bits >>> 1) & 0x55555555
    bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333)
    count += Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24
  }
  return count
}

// A blank must be blank, or every dot would be read as one.
const letters = [...glyphs]
  .filter(([, character]) => character !== ' ')
  .map(([hex, character]) => ({ words: wordsOf(Buffer.from(hex, 'hex')), character }))

const recognised = new Map<string, string>()
/** Cells of pictures (a logo, a desktop) are all different: forgotten beyond this number. */
const RECOGNISED_LIMIT = 20_000

function recognise(bits: Uint8Array): string {
  const key = String.fromCharCode(...bits)
  const known = recognised.get(key)
  if (known !== undefined) return known
  const words = wordsOf(bits)
  let best = UNKNOWN
  let bestDistance = GLYPH_TOLERANCE + 1
  if (words.every((word) => word === 0)) best = ' '
  else {
    for (const { words: letter, character } of letters) {
      const distance = differingBits(letter, words)
      if (distance < bestDistance) {
        best = character
        bestDistance = distance
      }
    }
  }
  if (recognised.size > RECOGNISED_LIMIT) recognised.clear()
  recognised.set(key, best)
  return best
}

/**
 * Reads the text of a console that draws its letters itself, as Linux does on
 * a framebuffer: cells of 8 by 16 pixels from the top left corner, compared
 * with the fonts in glyphs.ts. Other fonts and sizes give unknown characters
 * (UEFI's own letters are 19 high; QEMU's firmware sends them to the serial
 * port too). A cell of more than two colours costs no comparison: a desktop has thousands.
 * @returns the rows without blanks at their ends; U+FFFD where a cell is no known character, U+FFFC where it is a part
 *   of a picture
 */
export function readPicture(picture: ScreenPicture): string[] {
  const read = cellReader(picture)
  const bits = new Uint8Array(GLYPH_HEIGHT)
  const rows: string[] = []
  for (let top = 0; top + GLYPH_HEIGHT <= picture.height; top += GLYPH_HEIGHT) {
    let text = ''
    for (let left = 0; left + GLYPH_WIDTH <= picture.width; left += GLYPH_WIDTH) {
      text += read(left, top, bits) ? recognise(bits) : PICTURE_CELL
    }
    rows.push(text.trimEnd())
  }
  return rows
}

/** Cells that make a picture; a console may have a logo over its text, which is less. */
const LEAST_OF_PICTURE = 200

/**
 * Whether the rows were read from a screen that shows a picture, such as a desktop, and not from a console in whatever font.
 * @param rows of readPicture
 */
export function showsPicture(rows: readonly string[]): boolean {
  return rows.join('').split(PICTURE_CELL).length > LEAST_OF_PICTURE
}

/** VGA text memory: physical address and bytes; two bytes a cell, code page 437 then colours; 80 cells a row. */
export const TEXT_MEMORY_ADDRESS = 0xb8000
export const TEXT_MEMORY_BYTES = 0x8000
const TEXT_COLUMNS = 80
/** QEMU draws a cell of the text mode 9 pixels wide, as the hardware did. */
const TEXT_CELL_WIDTH = 9
const TEXT_ROWS = 25

/** Whether a picture shows VGA's 80 by 25 text mode. */
export function isTextMode({ width, height }: ScreenPicture): boolean {
  return width === TEXT_COLUMNS * TEXT_CELL_WIDTH && height === TEXT_ROWS * GLYPH_HEIGHT
}

function textRow(memory: Buffer, row: number): string {
  const start = row * TEXT_COLUMNS * 2
  let text = ''
  for (let offset = start; offset < start + TEXT_COLUMNS * 2; offset += 2) {
    const code = memory[offset] ?? 0
    text += code === 0 ? ' ' : code >= 0x20 && code < 0x7f ? String.fromCharCode(code) : UNKNOWN
  }
  return text
}

/** What the text mode shows and what can still be read of what it showed. */
export interface TextScreen {
  /** 25 rows without blanks at their ends. */
  rows: string[]
  /** All rows of the memory: those that scrolled out of the screen stay until they are written over. */
  memoryRows: string[]
}

/**
 * Reads the text mode's screen from its memory, which needs no knowledge of
 * the font. The screen is a part of that memory that wanders as the console
 * scrolls (CRT controller, start address), and QEMU does not tell where it is:
 * it is where the blank cells of the picture are blank in memory. While
 * nothing is shown at all, as after a reset, the memory is of before and not read.
 * @param picture the screen, in text mode
 * @param memory the 32 KiB at TEXT_MEMORY_ADDRESS, read at about the same time
 */
export function readTextMemory(picture: ScreenPicture, memory: Buffer): TextScreen {
  const shown = shownCells(picture)
  if (!shown.includes(1)) return { rows: Array.from({ length: TEXT_ROWS }, () => ''), memoryRows: [] }
  const cells = Array.from({ length: Math.floor(memory.length / 2 / TEXT_COLUMNS) }, (_, row) =>
    textRow(memory, row),
  )
  const text = cells.join('')
  let start = 0
  let fewestDifferences = Infinity
  for (let candidate = 0; candidate + TEXT_ROWS <= cells.length; candidate++) {
    let differences = 0
    const first = candidate * TEXT_COLUMNS
    for (let index = 0; index < shown.length; index++) {
      const isShown = text.charCodeAt(first + index) === 0x20 ? 0 : 1
      if (isShown !== shown[index]) differences++
    }
    if (differences < fewestDifferences) {
      start = candidate
      fewestDifferences = differences
    }
  }
  const memoryRows = cells.map((row) => row.trimEnd())
  return { rows: memoryRows.slice(start, start + TEXT_ROWS), memoryRows }
}

/** For each cell of the text mode, from the top left: 1 where something is drawn, which differs from its top left pixel. */
function shownCells(picture: ScreenPicture): Uint8Array {
  return Uint8Array.from({ length: TEXT_ROWS * TEXT_COLUMNS }, (_, index) => {
    const left = (index % TEXT_COLUMNS) * TEXT_CELL_WIDTH
    return isDrawn(picture, left, Math.floor(index / TEXT_COLUMNS) * GLYPH_HEIGHT) ? 1 : 0
  })
}

function isDrawn({ width, pixels }: ScreenPicture, left: number, top: number): boolean {
  const first = (top * width + left) * 3
  const background = pixels.subarray(first, first + TEXT_CELL_WIDTH * 3)
  // One row of one colour, and then all rows alike: compared as bytes, which is quick.
  for (let offset = 3; offset < background.length; offset++) {
    if (background[offset] !== background[offset - 3]) return true
  }
  for (let row = 1; row < GLYPH_HEIGHT; row++) {
    const start = first + row * width * 3
    if (background.compare(pixels, start, start + background.length) !== 0) return true
  }
  return false
}
