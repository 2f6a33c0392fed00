import { struct } from '../../disk/struct'

/** PE format (learn.microsoft.com/windows/win32/debug/pe-format), "Signature" and "COFF File Header". */
const COFF = struct('coff header', [
  [0, 'Signature', 'u32', '"PE", 0, 0'],
  [4, 'Machine', 'u16'],
  [6, 'NumberOfSections', 'u16'],
  [8, 'TimeDateStamp', 'u32'],
  [12, 'PointerToSymbolTable', 'u32'],
  [16, 'NumberOfSymbols', 'u32'],
  [20, 'SizeOfOptionalHeader', 'u16'],
  [22, 'Characteristics', 'u16'],
])

/** "Offset to the PE signature", in the stub before it. */
const SIGNATURE_POINTER = 0x3c
const SIGNATURE = 0x4550
/** "Optional Header" of PE32+, from its own start: "Subsystem", and entry 4 of the data directories, "Certificate Table". */
const PE32_PLUS = 0x20b
const SUBSYSTEM = 68
const CERTIFICATE_TABLE_SIZE = 148
const OPTIONAL_HEADER_BYTES = 152
const EFI_APPLICATION = 10

/** "Machine Types", by Go's names. */
const machines: Readonly<Record<number, string>> = { 0x8664: 'amd64', 0xaa64: 'arm64' }

/** What the headers of an EFI program say. */
export interface EfiProgram {
  architecture: string
  /** Whether it carries a signature; whose, only the firmware can judge. */
  isSigned: boolean
}

/**
 * Reads the headers of an EFI application, as boot loaders and kernels with an EFI stub are.
 * @param start the file's first 4 KiB, or all of it
 * @returns null when it is none, or for a computer of another kind
 */
export function efiProgram(start: Uint8Array): EfiProgram | null {
  const bytes = Buffer.from(start.buffer, start.byteOffset, start.byteLength)
  if (bytes.length < 64 || bytes.toString('latin1', 0, 2) !== 'MZ') return null
  const at = bytes.readUInt32LE(SIGNATURE_POINTER)
  const optional = at + COFF.size
  if (optional + OPTIONAL_HEADER_BYTES > bytes.length) return null
  const { Signature, Machine, SizeOfOptionalHeader } = COFF.decode(bytes, at)
  const architecture = machines[Machine]
  const isApplication =
    Signature === SIGNATURE &&
    bytes.readUInt16LE(optional) === PE32_PLUS &&
    bytes.readUInt16LE(optional + SUBSYSTEM) === EFI_APPLICATION
  if (!isApplication || architecture === undefined) return null
  const hasTable = SizeOfOptionalHeader >= OPTIONAL_HEADER_BYTES
  return {
    architecture,
    isSigned: hasTable && bytes.readUInt32LE(optional + CERTIFICATE_TABLE_SIZE) > 0,
  }
}
