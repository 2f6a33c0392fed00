/** A value of a property list; what has no place in it here (data, dates) is kept as its text. */
export type PlistValue = string | number | boolean | PlistValue[] | { [key: string]: PlistValue }

const token = /<!--[\s\S]*?-->|<[?!][^>]*>|<(\/?)([a-z]+)[^>]*?(\/?)>|([^<]+)/g
const entities: Record<string, string> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" }

/**
 * Reads a property list in XML (plist(5) of macOS; http://www.apple.com/DTDs/PropertyList-1.0.dtd).
 * @returns its one value, or null when it is none
 */
export function parsePlist(text: string): PlistValue | null {
  /** Arrays and dictionaries that are open; the key that the next value of a dictionary gets. */
  const open: { value: PlistValue[] | { [key: string]: PlistValue }; key: string | null }[] = []
  let root: PlistValue | null = null
  let words = ''
  const put = (value: PlistValue): boolean => {
    const parent = open.at(-1)
    if (parent === undefined) {
      if (root !== null) return false
      root = value
    } else if (Array.isArray(parent.value)) parent.value.push(value)
    else {
      if (parent.key === null) return false
      // A key such as __proto__ must be a key like any other.
      Object.defineProperty(parent.value, parent.key, { value, enumerable: true, configurable: true })
      parent.key = null
    }
    return true
  }
  for (const [, closes = '', name, isEmpty = '', plain] of text.matchAll(token)) {
    if (plain !== undefined) words += plain
    if (name === undefined || name === 'plist') continue
    const isEnd = closes !== '' || isEmpty !== ''
    if (name === 'dict' || name === 'array') {
      if (closes === '') {
        const value = name === 'dict' ? {} : []
        if (!put(value)) return null
        if (isEmpty === '') open.push({ value, key: null })
      } else if (Array.isArray(open.pop()?.value) !== (name === 'array')) return null
    } else if (isEnd) {
      const content = isEmpty === '' ? unescape(words) : ''
      const parent = open.at(-1)
      if (name === 'key') {
        if (parent === undefined || parent.key !== null) return null
        parent.key = content
      } else if (!put(scalar(name, content))) return null
    }
    words = ''
  }
  return open.length === 0 ? root : null
}

function scalar(name: string, content: string): PlistValue {
  if (name === 'true' || name === 'false') return name === 'true'
  return name === 'integer' || name === 'real' ? Number(content) : content
}

function unescape(text: string): string {
  return text.replace(/&(?:#(\d+)|#x([0-9a-f]+)|([a-z]+));/gi, (whole, decimal, hex, name) => {
    const code =
      decimal !== undefined ? Number(decimal) : hex !== undefined ? parseInt(String(hex), 16) : null
    if (code === null) return entities[String(name)] ?? whole
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole
  })
}
