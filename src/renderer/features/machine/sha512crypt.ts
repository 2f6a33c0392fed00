import { sha512 } from '@noble/hashes/sha2.js'

/** crypt's own alphabet for six bits, the lowest first (Drepper, step 22). */
const ALPHABET = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
/** Bytes of a SHA-512 digest. */
const DIGEST = 64
/** Rounds where a hash names none, and the limits of those it may name (Drepper, "Specification of the round number"). */
const DEFAULT_ROUNDS = 5000
const LEAST_ROUNDS = 1000
const MOST_ROUNDS = 999_999_999
/** Characters of a salt that count. */
const SALT_LENGTH = 16
/** Milliseconds of work before the window gets its turn: half a frame. */
const SLICE = 8

/** The order in which the digest's bytes are written, three to four characters (Drepper, step 22 b). */
const groups: readonly (readonly [number, number, number])[] = Array.from({ length: 21 }, (_, index) => {
  const triple = [index, index + 21, index + 42] as const
  const first = index % 3
  return [triple[first] ?? 0, triple[(first + 1) % 3] ?? 0, triple[(first + 2) % 3] ?? 0]
})

const text = new TextEncoder()

/**
 * Hashes a password for /etc/shadow: `$6$salt$hash`. The work is done in
 * slices, so that the window goes on answering.
 * Source: Ulrich Drepper, "Unix crypt using SHA-256 and SHA-512", version 0.6.
 * @param password as it is typed at the login
 * @param salt what stands between `$6$` and the hash, with `rounds=N$` before it for another number of rounds; 16 characters count
 * @returns the whole field
 */
export async function sha512crypt(password: string, salt: string): Promise<string> {
  const named = /^rounds=(\d+)\$(.*)$/s.exec(salt)
  const rounds =
    named === null ? DEFAULT_ROUNDS : Math.min(MOST_ROUNDS, Math.max(LEAST_ROUNDS, Number(named[1])))
  const saltText = (named?.[2] ?? salt).slice(0, SALT_LENGTH)
  const key = text.encode(password)
  const saltBytes = text.encode(saltText)

  // Steps 1 to 12.
  const second = sha512(join(key, saltBytes, key))
  const first = sha512.create().update(key).update(saltBytes).update(repeat(second, key.length))
  for (let bits = key.length; bits > 0; bits >>>= 1) first.update((bits & 1) === 1 ? second : key)
  let digest = first.digest()

  // Steps 13 to 20: password and salt, stretched to their own lengths.
  const keySum = sha512.create()
  for (let index = 0; index < key.length; index++) keySum.update(key)
  const keyBytes = repeat(keySum.digest(), key.length)
  const saltSum = sha512.create()
  for (let index = 0; index < 16 + (digest[0] ?? 0); index++) saltSum.update(saltBytes)
  const saltSequence = repeat(saltSum.digest(), saltBytes.length)

  // Step 21.
  let turn = performance.now()
  for (let round = 0; round < rounds; round++) {
    const sum = sha512.create()
    sum.update(round % 2 === 1 ? keyBytes : digest)
    if (round % 3 !== 0) sum.update(saltSequence)
    if (round % 7 !== 0) sum.update(keyBytes)
    sum.update(round % 2 === 1 ? digest : keyBytes)
    digest = sum.digest()
    if (performance.now() - turn > SLICE) {
      await new Promise((resolve) => setTimeout(resolve, 0))
      turn = performance.now()
    }
  }

  const prefix = named === null ? '$6$' : `$6$rounds=${rounds}$`
  return `${prefix}${saltText}$${encode(digest)}`
}

/** A salt by chance: 16 characters, 96 bits. */
export function randomSalt(): string {
  return [...crypto.getRandomValues(new Uint8Array(SALT_LENGTH))]
    .map((byte) => ALPHABET.charAt(byte & 63))
    .join('')
}

function encode(digest: Uint8Array): string {
  const byte = (index: number): number => digest[index] ?? 0
  const write = (value: number, characters: number): string =>
    Array.from({ length: characters }, (_, index) => ALPHABET.charAt((value >>> (6 * index)) & 63)).join('')
  const body = groups.map(([a, b, c]) => write((byte(a) << 16) | (byte(b) << 8) | byte(c), 4)).join('')
  return body + write(byte(DIGEST - 1), 2)
}

/** A digest as often as it takes to fill a length. */
function repeat(digest: Uint8Array, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => digest[index % DIGEST] ?? 0)
}

function join(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]))
}
