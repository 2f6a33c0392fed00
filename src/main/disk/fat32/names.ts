import { ATTR_LONG_NAME, LONG_ENTRY } from './layout'

/** Characters that a short name may hold besides letters, digits and the dot. */
const SHORT_NAME = /^[A-Z0-9$%'\-_@~`!(){}^#&]{1,8}(\.[A-Z0-9$%'\-_@~`!(){}^#&]{1,3})?$/

/** The 11 bytes of a name of the form 8.3. */
function padded(base: string, extension: string): Uint8Array {
  return Buffer.from(base.padEnd(8) + extension.padEnd(3), 'latin1')
}

/** "ChkSum()" of the specification: ties long entries to their short one. */
function shortNameSum(name: Uint8Array): number {
  return name.reduce((sum, byte) => (((sum & 1) << 7) + (sum >> 1) + byte) & 0xff, 0)
}

/**
 * Chooses the short name of a file, and encodes the long name entries that go before it.
 * @param name as it shall be seen
 * @param taken short names of this directory so far, as latin1 text; the chosen one is added
 * @returns the 11 bytes of the short name, and no long entries where the name is short itself
 */
export function encodeName(name: string, taken: Set<string>): { short: Uint8Array; long: Uint8Array } {
  const dot = name.lastIndexOf('.')
  const base = dot > 0 ? name.slice(0, dot) : name
  const extension = dot > 0 ? name.slice(dot + 1) : ''
  if (SHORT_NAME.test(name)) {
    const short = padded(base, extension)
    taken.add(Buffer.from(short).toString('latin1'))
    return { short, long: new Uint8Array() }
  }
  const clean = (text: string): string => text.toUpperCase().replace(/[^A-Z0-9]/g, '')
  for (let number = 1; ; number++) {
    const tail = `~${number}`
    const short = padded(clean(base).slice(0, 8 - tail.length) + tail, clean(extension).slice(0, 3))
    const key = Buffer.from(short).toString('latin1')
    if (taken.has(key)) continue
    taken.add(key)
    return { short, long: longEntries(name, shortNameSum(short)) }
  }
}

/** Long name entries, the last part first; 13 UTF-16 units each, ended by 0 and padded with 0xFFFF. */
function longEntries(name: string, sum: number): Uint8Array {
  const count = Math.ceil(name.length / 13)
  const units = new Uint8Array(count * 26).fill(0xff)
  units.set(Buffer.from(`${name}\0`, 'utf16le').subarray(0, units.length))
  const entries = new Uint8Array(count * LONG_ENTRY.size)
  for (let part = 0; part < count; part++) {
    const at = part * 26
    LONG_ENTRY.encode(
      {
        LDIR_Ord: (part + 1) | (part === count - 1 ? 0x40 : 0),
        LDIR_Name1: units.subarray(at, at + 10),
        LDIR_Attr: ATTR_LONG_NAME,
        LDIR_Chksum: sum,
        LDIR_Name2: units.subarray(at + 10, at + 22),
        LDIR_Name3: units.subarray(at + 22, at + 26),
      },
      entries,
      (count - 1 - part) * LONG_ENTRY.size,
    )
  }
  return entries
}
