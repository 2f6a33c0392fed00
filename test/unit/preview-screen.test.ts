import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync, inflateSync } from 'node:zlib'
import { expect, test } from 'vitest'
import {
  encodePng,
  showsPicture,
  isTextMode,
  parsePpm,
  readPicture,
  readTextMemory,
  type ScreenPicture,
} from '../../src/main/preview/screen'

/** Recorded in QEMU 7.2 from Debian 12 on the disk of the HOWTO: see the pictures themselves. */
const recorded = (name: string): Buffer => readFileSync(join(import.meta.dirname, 'screens', name))

/** Reads a PNG of our own encoder: truecolour, no filters, one IDAT. */
function decodePng(png: Buffer): ScreenPicture {
  const width = png.readUInt32BE(16)
  const height = png.readUInt32BE(20)
  const data = png.indexOf('IDAT')
  const rows = inflateSync(png.subarray(data + 4, data + 4 + png.readUInt32BE(data - 4)))
  const pixels = Buffer.concat(
    Array.from({ length: height }, (_, row) =>
      rows.subarray(row * (width * 3 + 1) + 1, (row + 1) * (width * 3 + 1)),
    ),
  )
  return { width, height, pixels }
}

const printed = (rows: string[]): string[] => rows.filter((row) => row !== '')

test('text mode: the screen is found in its memory after it has scrolled', () => {
  const picture = decodePng(recorded('text-mode.png'))
  expect(isTextMode(picture)).toBe(true)
  const { rows, memoryRows } = readTextMemory(picture, gunzipSync(recorded('text-mode.memory.gz')))
  // What scrolled away is still there.
  expect(memoryRows).toHaveLength(204)
  expect(memoryRows.findIndex((row) => row === rows[0])).toBeGreaterThan(25)
  expect(rows).toMatchInlineSnapshot(`
    [
      "[   36.153426] systemd[1]: Mounting dev-mqueue.mount - POSIX Message Queue File",
      "System...",
      "         Mounting dev-mqueue.mount��POSIX Message Queue File System...",
      "[   36.289703] systemd[1]: Mounting sys-kernel-debug.mount - Kernel Debug File S",
      "ystem...",
      "         Mounting sys-kernel-debug.� - Kernel Debug File System...",
      "[   36.373534] systemd[1]: Mounting sys-kernel-tracing.mount - Kernel Trace File",
      " System...",
      "         Mounting sys-kernel-tracin� - Kernel Trace File System...",
      "[   36.490469] systemd[1]: Starting keyboard-setup.service - Set the console key",
      "board layout...",
      "         Starting keyboard-setup.se�Set the console keyboard layout...",
      "[   36.655019] systemd[1]: Starting kmod-static-nodes.service - Create List of S",
      "tatic Device Nodes...",
      "         Starting kmod-static-nodes�ate List of Static Device Nodes...",
      "[   37.019022] systemd[1]: Starting modprobe@configfs.service - Load Kernel Modu",
      "le configfs...",
      "         Starting modprobe@configfs�m - Load Kernel Module configfs...",
      "[   37.350504] systemd[1]: Starting modprobe@dm_mod.service - Load Kernel Module",
      " dm_mod...",
      "         Starting modprobe@dm_mod.s�[0m - Load Kernel Module dm_mod...",
      "[   40.046533] systemd[1]: Starting modprobe@drm.service - Load Kernel Module dr",
      "m...",
      "         Starting modprobe@drm.service - Load Kernel Module drm...",
      "",
    ]
  `)
})

test('text mode: an empty screen', () => {
  const picture = { width: 720, height: 400, pixels: Buffer.alloc(720 * 400 * 3) }
  // What the memory holds is of before: the screen is cleared after it.
  for (const byte of [0, 0x41]) {
    const { rows, memoryRows } = readTextMemory(picture, Buffer.alloc(0x8000, byte))
    expect([printed(rows), memoryRows]).toEqual([[], []])
  }
})

test("framebuffer console with Debian's console font: the login prompt, and the cursor as unknown or blank", () => {
  const picture = decodePng(recorded('framebuffer-login.png'))
  expect(isTextMode(picture)).toBe(false)
  const [system, prompt, ...more] = printed(readPicture(picture))
  expect(system).toBe('Debian GNU/Linux 12 localhost tty1')
  expect(prompt?.replace(/ ?\ufffd?$/, '')).toBe('localhost login:')
  expect(more).toEqual([])
})

test("framebuffer console with the kernel's own font: every printable character", () => {
  const [first, second] = printed(readPicture(decodePng(recorded('framebuffer-kernel-font.png'))))
  // The kernel line's `init=/bin/echo -- …` printed them; a quotation mark cannot be written there.
  expect(first).toBe(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 x!#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
  )
  expect(second).toMatch(
    /^\[ +63\.904764\] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000000$/,
  )
})

/** Swaps two colours and moves the picture by whole pixels. */
function changed(picture: ScreenPicture, left: number): ScreenPicture {
  const { width, height, pixels } = picture
  const moved = Buffer.alloc(pixels.length)
  for (let row = 0; row < height; row++) {
    const from = row * width * 3
    pixels.copy(moved, from + left * 3, from, from + (width - left) * 3)
  }
  return { width, height, pixels: Buffer.from(moved.map((byte) => 0xff - byte)) }
}

test('letters are read in any two colours, and not where they are off the grid of cells', () => {
  const picture = decodePng(recorded('framebuffer-login.png'))
  expect(printed(readPicture(changed(picture, 0)))[0]).toBe('Debian GNU/Linux 12 localhost tty1')
  expect(printed(readPicture(changed(picture, 8)))[0]).toBe(' Debian GNU/Linux 12 localhost tty1')
  expect(readPicture(changed(picture, 3)).join('\n')).not.toContain('login:')
})

/** A desktop's picture: every byte from a generator with the constants of Numerical Recipes, so that no cell is like another. */
function noise(width: number, height: number, colours: number): ScreenPicture {
  const pixels = Buffer.alloc(width * height * 3)
  let state = 1
  for (let index = 0; index < pixels.length; index += 3) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    pixels.fill(Math.floor((state / 2 ** 32) * colours) * 37, index, index + 3)
  }
  return { width, height, pixels }
}

test('a picture without text has none, and is told from a console', () => {
  const rows = readPicture(noise(640, 480, 7))
  const text = rows.join('')
  expect(text.replaceAll(/[\ufffc\ufffd]/g, '').length).toBeLessThan(text.length / 100)
  expect(showsPicture(rows)).toBe(true)
  for (const name of ['framebuffer-login.png', 'framebuffer-kernel-font.png']) {
    expect(showsPicture(readPicture(decodePng(recorded(name))))).toBe(false)
  }
  // Neither an empty screen nor letters of a font that is not known are one.
  for (const colours of [1, 2]) expect(showsPicture(readPicture(noise(640, 480, colours)))).toBe(false)
})

test('a large picture that changes all over is read about as quickly as a blank one', () => {
  const picture = noise(1280, 800, 7)
  const before = performance.now()
  readPicture(picture)
  const desktop = performance.now() - before
  // A console full of letters is read from what is known of them.
  const blank = noise(1280, 800, 1)
  readPicture(blank)
  const start = performance.now()
  readPicture(blank)
  // Cells of many colours cost no comparison with letters, so no more than blank ones do.
  expect(desktop).toBeLessThan(10 * (performance.now() - start))
})

test('PNG of a PPM keeps every pixel; a cut PPM is none', () => {
  const pixels = Buffer.from([255, 0, 0, 0, 255, 0, 0, 0, 255, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  const ppm = Buffer.concat([Buffer.from('P6\n3 2\n255\n'), pixels])
  const picture = parsePpm(ppm)
  expect(picture).toEqual({ width: 3, height: 2, pixels })
  if (picture !== null) expect(decodePng(encodePng(picture))).toEqual(picture)
  expect(parsePpm(ppm.subarray(0, -1))).toBeNull()
  expect(parsePpm(Buffer.from('P5\n3 2\n255\n'))).toBeNull()
})
