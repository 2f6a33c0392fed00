/**
 * The hash of names in large directories: a shortened MD4 over 32 bytes at a time
 * (kernel, fs/ext4/hash.c, DX_HASH_HALF_MD4 with signed bytes).
 */

const K2 = 0x5a827999
const K3 = 0x6ed9eba1
/** "EXT4_HTREE_EOF_32BIT << 1", which no name may have. */
const END_OF_TREE = 0xfffffffe

const state = new Int32Array(4)
const words = new Int32Array(8)

/** One step of each round: [word, shift] */
const ROUND_1 = [0, 3, 1, 7, 2, 11, 3, 19, 4, 3, 5, 7, 6, 11, 7, 19]
const ROUND_2 = [1, 3, 3, 5, 5, 9, 7, 13, 0, 3, 2, 5, 4, 9, 6, 13]
const ROUND_3 = [3, 3, 7, 9, 2, 11, 6, 15, 1, 3, 5, 9, 0, 11, 4, 15]

function transform(): void {
  let a = state[0] as number
  let b = state[1] as number
  let c = state[2] as number
  let d = state[3] as number
  for (let round = 0; round < 3; round++) {
    const steps = round === 0 ? ROUND_1 : round === 1 ? ROUND_2 : ROUND_3
    for (let i = 0; i < 16; i += 2) {
      const mixed =
        round === 0
          ? d ^ (b & (c ^ d))
          : round === 1
            ? ((b & c) + ((b ^ c) & d) + K2) | 0
            : ((b ^ c ^ d) + K3) | 0
      const sum = (a + mixed + (words[steps[i] as number] as number)) | 0
      const shift = steps[i + 1] as number
      a = d
      d = c
      c = b
      b = (sum << shift) | (sum >>> (32 - shift))
    }
  }
  state[0] = (state[0] as number) + a
  state[1] = (state[1] as number) + b
  state[2] = (state[2] as number) + c
  state[3] = (state[3] as number) + d
}

/** "str2hashbuf_signed": at most 32 bytes of the name from `from`, padded with what is left of its length. */
function fillWords(name: string, from: number): void {
  const left = name.length - from
  let pad = left | (left << 8)
  pad |= pad << 16
  words.fill(pad)
  const count = Math.min(left, 32)
  let value = pad
  for (let i = 0; i < count; i++) {
    const byte = (name.charCodeAt(from + i) << 24) >> 24
    value = (byte + (value << 8)) | 0
    if (i % 4 === 3) {
      words[i >> 2] = value
      value = pad
    }
  }
  if (count % 4 !== 0) words[count >> 2] = value
}

/**
 * Hashes a name.
 * @param name its bytes, one to a character
 * @param seed s_hash_seed as four numbers
 * @returns the hash that the tree is sorted by, its lowest bit zero, and the one that decides between equals
 */
export function halfMd4(name: string, seed: readonly number[]): { major: number; minor: number } {
  state.set(seed)
  for (let from = 0; from < name.length; from += 32) {
    fillWords(name, from)
    transform()
  }
  const major = ((state[1] as number) & ~1) >>> 0
  return {
    major: major === END_OF_TREE ? END_OF_TREE - 2 : major,
    minor: (state[2] as number) >>> 0,
  }
}
