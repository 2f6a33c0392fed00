import { createWriteStream } from 'node:fs'
import { createServer } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

const BLOCK = 512
/** Bytes of a piece; many small members go into one. */
const PIECE = 1024 * 1024

/** A ustar header (POSIX.1-2017, pax). */
function header(path, size, flag) {
  const bytes = Buffer.alloc(BLOCK)
  const octal = (value, at, length) => bytes.write(value.toString(8).padStart(length - 1, '0') + '\0', at)
  bytes.write(path)
  octal(flag === '5' ? 0o755 : 0o644, 100, 8)
  octal(0, 108, 8)
  octal(0, 116, 8)
  octal(size, 124, 12)
  octal(1_700_000_000, 136, 12)
  bytes.fill(' ', 148, 156)
  bytes.write(flag, 156)
  bytes.write('ustar\x0000', 257)
  octal(
    bytes.reduce((sum, byte) => sum + byte, 0),
    148,
    8,
  )
  return bytes
}

/**
 * A root file system's tar that exists nowhere, piece by piece.
 * @param {{ files: number, bytesEach: number, perDirectory: number }} shape
 * @returns {Generator<Buffer>} each piece may be kept
 */
export function* generatedTar({ files, bytesEach, perDirectory }) {
  let pieces = []
  let length = 0
  const take = () => {
    const taken = Buffer.concat(pieces)
    pieces = []
    length = 0
    return taken
  }
  const data = Buffer.alloc(Math.ceil(Math.min(bytesEach, PIECE) / BLOCK) * BLOCK)
  for (let index = 0; index < files; index += 1) {
    const directory = `usr/share/directory-${Math.floor(index / perDirectory)}`
    if (index % perDirectory === 0) {
      pieces.push(header(`${directory}/`, 0, '5'))
    }
    pieces.push(header(`${directory}/a-file-of-the-bench-${index}.txt`, bytesEach, '0'))
    length += BLOCK
    for (let left = bytesEach; left > 0; left -= PIECE) {
      const count = Math.min(left, PIECE)
      data.fill(`${index} `, 0, count).fill(0, count)
      pieces.push(Buffer.from(data.subarray(0, Math.ceil(count / BLOCK) * BLOCK)))
      length += count
      if (length >= PIECE) yield take()
    }
    if (length >= PIECE) yield take()
  }
  yield Buffer.concat([...pieces, Buffer.alloc(2 * BLOCK)])
}

/** Writes such a tar to a file. */
export async function writeTar(path, shape) {
  await pipeline(Readable.from(generatedTar(shape)), createWriteStream(path))
}

/**
 * Serves such a tar as an engine serves an export, made up while it is read: however large, it takes no room.
 * @param {string} socket path of the socket to be
 * @returns {Promise<() => void>} ends it
 */
export async function servedTar(socket, shape) {
  const server = createServer((_, response) => {
    // Whoever reads may go away.
    pipeline(Readable.from(generatedTar(shape)), response).catch(() => undefined)
  })
  await new Promise((resolve) => server.listen(socket, resolve))
  return () => {
    server.closeAllConnections()
    server.close()
  }
}
