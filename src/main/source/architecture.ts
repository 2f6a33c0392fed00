/** e_machine of the ELF header (gabi, "ELF Header"; elf(5)), by Go's name of the architecture. */
const machines: Readonly<Record<number, string>> = {
  3: '386',
  21: 'ppc64le',
  22: 's390x',
  40: 'arm',
  62: 'amd64',
  183: 'arm64',
  243: 'riscv64',
}

/**
 * The architecture of a program.
 * @param start the file's first 20 bytes or more
 * @returns Go's name of it, or null when it is no ELF program of a known one
 */
export function architectureOf(start: Buffer): string | null {
  if (start.length < 20 || start.toString('latin1', 0, 4) !== '\x7fELF') return null
  const isBigEndian = start[5] === 2
  return machines[isBigEndian ? start.readUInt16BE(18) : start.readUInt16LE(18)] ?? null
}
