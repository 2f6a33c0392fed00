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

/** The cell's rows as bits: a pixel is set when it differs from the cell's top left one, which no letter touches. */
function cellBits(
  { width, pixels }: ScreenPicture,
  left: number,
  top: number,
  cellWidth: number,
  cellHeight: number,
): string {
  const background = pixels.readUIntBE((top * width + left) * 3, 3)
  const bits = Buffer.alloc(cellHeight)
  for (let row = 0; row < cellHeight; row++) {
    let byte = 0
    for (let column = 0; column < cellWidth; column++) {
      const isSet = pixels.readUIntBE(((top + row) * width + left + column) * 3, 3) !== background
      byte = (byte << 1) | (isSet ? 1 : 0)
    }
    // A ninth column only repeats the eighth or is empty (VGA text mode).
    bits[row] = cellWidth > 8 ? byte >> (cellWidth - 8) : byte
  }
  return bits.toString('hex')
}

function differingBits(first: string, second: string): number {
  let count = 0
  for (let index = 0; index < first.length; index += 8) {
    let bits = parseInt(first.slice(index, index + 8), 16) ^ parseInt(second.slice(index, index + 8), 16)
    for (; bits !== 0; bits &= bits - 1) count++
  }
  return count
}

const recognised = new Map<string, string>(glyphs)
/** Cells of pictures (a logo, a desktop) are all different: forgotten beyond this number. */
const RECOGNISED_LIMIT = 20_000

function recognise(bits: string): string {
  const known = recognised.get(bits)
  if (known !== undefined) return known
  let best = UNKNOWN
  let bestDistance = GLYPH_TOLERANCE + 1
  for (const [glyph, character] of glyphs) {
    // A blank must be blank, or every dot would be read as one.
    if (character === ' ') continue
    const distance = differingBits(glyph, bits)
    if (distance < bestDistance) {
      best = character
      bestDistance = distance
    }
  }
  if (recognised.size > RECOGNISED_LIMIT) {
    recognised.clear()
    for (const [glyph, character] of glyphs) recognised.set(glyph, character)
  }
  recognised.set(bits, best)
  return best
}

/**
 * Reads the text of a console that draws its letters itself (framebuffer
 * console, UEFI): cells of 8 by 16 pixels from the top left corner, compared
 * with the fonts in glyphs.ts. Other fonts and sizes give unknown characters.
 * @returns the rows without blanks at their ends; U+FFFD where a cell is no known character
 */
export function readPicture(picture: ScreenPicture): string[] {
  const rows: string[] = []
  for (let top = 0; top + GLYPH_HEIGHT <= picture.height; top += GLYPH_HEIGHT) {
    let text = ''
    for (let left = 0; left + GLYPH_WIDTH <= picture.width; left += GLYPH_WIDTH) {
      text += recognise(cellBits(picture, left, top, GLYPH_WIDTH, GLYPH_HEIGHT))
    }
    rows.push(text.trimEnd())
  }
  return rows
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

function textCell(memory: Buffer, row: number, column: number): string {
  const code = memory[(row * TEXT_COLUMNS + column) * 2] ?? 0
  if (code === 0) return ' '
  return code >= 0x20 && code < 0x7f ? String.fromCharCode(code) : UNKNOWN
}

/**
 * Reads the text mode's screen from its memory, which needs no knowledge of
 * the font. The screen is a part of that memory that wanders as the console
 * scrolls (CRT controller, start address), and QEMU does not tell where it is:
 * it is where the blank cells of the picture are blank in memory.
 * @param picture the screen, in text mode
 * @param memory the 32 KiB at TEXT_MEMORY_ADDRESS, read at about the same time
 * @returns 25 rows without blanks at their ends
 */
export function readTextMemory(picture: ScreenPicture, memory: Buffer): string[] {
  const memoryRows = Math.floor(memory.length / 2 / TEXT_COLUMNS)
  const shown: boolean[] = []
  for (let row = 0; row < TEXT_ROWS; row++) {
    for (let column = 0; column < TEXT_COLUMNS; column++) {
      const bits = cellBits(
        picture,
        column * TEXT_CELL_WIDTH,
        row * GLYPH_HEIGHT,
        TEXT_CELL_WIDTH,
        GLYPH_HEIGHT,
      )
      shown.push(!/^0*$/.test(bits))
    }
  }
  let start = 0
  let fewestDifferences = Infinity
  for (let candidate = 0; candidate + TEXT_ROWS <= memoryRows; candidate++) {
    let differences = 0
    for (let index = 0; index < shown.length; index++) {
      const isShown = textCell(memory, candidate, index) !== ' '
      if (isShown !== shown[index]) differences++
    }
    if (differences < fewestDifferences) {
      start = candidate
      fewestDifferences = differences
    }
  }
  return Array.from({ length: TEXT_ROWS }, (_, row) =>
    Array.from({ length: TEXT_COLUMNS }, (_cell, column) => textCell(memory, start + row, column))
      .join('')
      .trimEnd(),
  )
}
