/**
 * Binary layouts as tables of the specification's own names.
 *
 * A layout that slices literal offsets can store one byte and read seven; one
 * whose offsets are checked against the widths before them cannot.
 */

/** Unsigned little- or big-endian integers, or a number: that many raw bytes. */
export type Width = 'u8' | 'u16' | 'u32' | 'u64' | number

/** [offset in bytes, the specification's name, width, note] */
export type Row = readonly [offset: number, name: string, width: Width, note?: string]

type ValueOf<W> = W extends 'u64' ? bigint : W extends number ? Uint8Array : number

export type Values<R extends readonly Row[]> = { [E in R[number] as E[1]]: ValueOf<E[2]> }

export interface Struct<R extends readonly Row[]> {
  /** Bytes from the first field to the end of the last. */
  readonly size: number
  /** Offset of each field in bytes, for loops too hot for `encode`. */
  readonly at: { readonly [E in R[number] as E[1]]: number }
  /**
   * Writes the given fields at `start` of `target`, or into a new zeroed array of the structure's size.
   * Fields not named are left as they are. Throws RangeError when a value does not fit its field.
   */
  encode(values: Partial<Values<R>>, target?: Uint8Array, start?: number): Uint8Array
  /** Reads all fields at `start`; raw bytes are copied. Throws RangeError when `source` is too short. */
  decode(source: Uint8Array, start?: number): Values<R>
}

const WIDTHS = { u8: 1, u16: 2, u32: 4, u64: 8 }

/** Bytes that a field of this width takes. */
function bytesOf(width: Width): number {
  return typeof width === 'number' ? width : WIDTHS[width]
}

/**
 * Makes a coder from a table. Throws at load when a row's offset disagrees with the widths before it,
 * or when two rows have one name.
 * @param title heading for error messages
 * @param rows every byte of the structure, gaps included, in order
 * @param endian byte order of the integers
 */
export function struct<const R extends readonly Row[]>(
  title: string,
  rows: R,
  endian: 'little' | 'big' = 'little',
): Struct<R> {
  const at: Record<string, number> = {}
  let size = 0
  for (const [offset, name, width] of rows) {
    if (offset !== size) throw new Error(`${title}.${name}: table says ${offset}, widths say ${size}`)
    if (name in at) throw new Error(`${title}.${name}: named twice`)
    at[name] = offset
    size += bytesOf(width)
  }
  const little = endian === 'little'
  const byName = new Map<string, Row>(rows.map((row) => [row[1], row]))

  function put(view: DataView, start: number, row: Row, value: unknown): void {
    const [offset, name, width] = row
    const position = start + offset
    if (typeof width === 'number') {
      const bytes = value as Uint8Array
      if (bytes.length > width) throw new RangeError(`${title}.${name}: ${bytes.length} bytes in ${width}`)
      new Uint8Array(view.buffer, view.byteOffset + position, width).fill(0).set(bytes)
      return
    }
    if (width === 'u64') {
      const wide = value as bigint
      if (BigInt.asUintN(64, wide) !== wide) throw new RangeError(`${title}.${name}: ${String(wide)}`)
      view.setBigUint64(position, wide, little)
      return
    }
    const number = value as number
    if (!Number.isInteger(number) || number < 0 || number >= 2 ** (8 * WIDTHS[width])) {
      throw new RangeError(`${title}.${name}: ${number} does not fit ${width}`)
    }
    if (width === 'u8') view.setUint8(position, number)
    else if (width === 'u16') view.setUint16(position, number, little)
    else view.setUint32(position, number, little)
  }

  function get(view: DataView, start: number, row: Row): number | bigint | Uint8Array {
    const position = start + row[0]
    switch (row[2]) {
      case 'u8':
        return view.getUint8(position)
      case 'u16':
        return view.getUint16(position, little)
      case 'u32':
        return view.getUint32(position, little)
      case 'u64':
        return view.getBigUint64(position, little)
      default:
        return new Uint8Array(view.buffer, view.byteOffset + position, row[2]).slice()
    }
  }

  return {
    size,
    at: at as Struct<R>['at'],
    encode(values, target = new Uint8Array(size), start = 0) {
      const view = new DataView(target.buffer, target.byteOffset, target.byteLength)
      for (const [name, value] of Object.entries(values)) {
        const row = byName.get(name)
        if (row === undefined) throw new Error(`${title} has no field ${name}`)
        put(view, start, row, value)
      }
      return target
    },
    decode(source, start = 0) {
      const view = new DataView(source.buffer, source.byteOffset, source.byteLength)
      if (start + size > source.byteLength) {
        throw new RangeError(`${title}: ${source.byteLength - start} of ${size} bytes`)
      }
      return Object.fromEntries(rows.map((row) => [row[1], get(view, start, row)])) as Values<R>
    },
  }
}
