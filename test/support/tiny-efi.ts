/** `Machine` of a PE file (Microsoft, "PE Format", Machine Types). */
const machines = { amd64: 0x8664, arm64: 0xaa64 }

/**
 * The code of a UEFI application: it writes a text to the console and waits with interrupts on. Its entry gets the
 * image's handle and the system table (UEFI specification, 4.1), which has ConOut at 64 (4.3), which has
 * OutputString at 8 (12.4). `distance` is from the instruction that names the text to the text.
 */
const code = {
  amd64: [
    ...[0x48, 0x83, 0xec, 0x28], // sub rsp, 40: room for the callee, and its alignment
    ...[0x48, 0x8b, 0x4a, 0x40], // mov rcx, [rdx+64]
    ...[0x48, 0x8d, 0x15, 0x06, 0, 0, 0], // lea rdx, [rip+6]: the text
    ...[0xff, 0x51, 0x08], // call [rcx+8]
    ...[0xf4, 0xeb, 0xfd], // hlt; jmp back
  ],
  arm64: [
    0xf9402020, // ldr x0, [x1, #64]
    0x100000a1, // adr x1, +20: the text
    0xf9400402, // ldr x2, [x0, #8]
    0xd63f0040, // blr x2
    0xd503207f, // wfi
    0x17ffffff, // b back
  ].flatMap((word) => [word & 0xff, (word >>> 8) & 0xff, (word >>> 16) & 0xff, word >>> 24]),
}

const FILE_ALIGNMENT = 512
const PAGE = 4096

/**
 * Makes the smallest program that UEFI starts: PE32+ with one section and nothing to relocate. Nobody has signed it.
 * @param architecture of the machine
 * @param text ASCII, at most 200 characters
 */
export function tinyEfi(architecture: 'amd64' | 'arm64', text: string): Buffer {
  const body = Buffer.concat([Buffer.from(code[architecture]), Buffer.from(`${text}\0`, 'utf16le')])
  const file = Buffer.alloc(FILE_ALIGNMENT * 2)
  body.copy(file, FILE_ALIGNMENT)
  file.write('MZ')
  const header = 64
  file.writeUInt32LE(header, 0x3c)
  file.write('PE\0\0', header)
  const coff = header + 4
  file.writeUInt16LE(machines[architecture], coff)
  file.writeUInt16LE(1, coff + 2) // sections
  const optionalBytes = 112 + 16 * 8
  file.writeUInt16LE(optionalBytes, coff + 16)
  file.writeUInt16LE(0x0222, coff + 18) // executable, large addresses, no debugging
  const optional = coff + 20
  file.writeUInt16LE(0x20b, optional) // PE32+
  file.writeUInt32LE(FILE_ALIGNMENT, optional + 4) // SizeOfCode
  file.writeUInt32LE(PAGE, optional + 16) // AddressOfEntryPoint
  file.writeUInt32LE(PAGE, optional + 20) // BaseOfCode
  file.writeUInt32LE(PAGE, optional + 32) // SectionAlignment
  file.writeUInt32LE(FILE_ALIGNMENT, optional + 36)
  file.writeUInt32LE(PAGE * 2, optional + 56) // SizeOfImage
  file.writeUInt32LE(FILE_ALIGNMENT, optional + 60) // SizeOfHeaders
  file.writeUInt16LE(10, optional + 68) // Subsystem: EFI application
  file.writeUInt32LE(16, optional + 108) // NumberOfRvaAndSizes, all empty
  const section = optional + optionalBytes
  file.write('.text', section)
  file.writeUInt32LE(body.length, section + 8)
  file.writeUInt32LE(PAGE, section + 12)
  file.writeUInt32LE(FILE_ALIGNMENT, section + 16)
  file.writeUInt32LE(FILE_ALIGNMENT, section + 20)
  file.writeUInt32LE(0x60000020, section + 36) // code, executable, readable
  return file
}
