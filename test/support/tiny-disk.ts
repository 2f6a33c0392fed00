import { writeFile } from 'node:fs/promises'

/**
 * The smallest disk that boots under BIOS: a boot sector that prints a text
 * with int 10h, function 0Eh (teletype), and halts with interrupts on. It
 * stands for a whole system where a test is about the machine and not about
 * what boots in it.
 * @param path where to write it
 * @param text ASCII, at most 400 characters
 * @param does what it does besides: `power-off` switches the machine off after the text (ACPI, port 604h of QEMU's
 *   q35), `reset` resets it (port CF9h), `draw` fills the screen with colours, `write` writes the boot sector over the one after it before the text (int
 *   13h, function 03h)
 */
export async function writeTinyDisk(
  path: string,
  text: string,
  does: 'power-off' | 'reset' | 'draw' | 'write' | 'nothing' = 'nothing',
): Promise<void> {
  const halt = [0xf4, 0xeb, 0xfd] // hlt; jmp back
  // mov dx, 604h; mov ax, 2000h; out dx, ax
  const powerOff = [0xba, 0x04, 0x06, 0xb8, 0x00, 0x20, 0xef]
  const reset = [0xba, 0xf9, 0x0c, 0xb0, 0x06, 0xee] // mov dx, CF9h; mov al, 6; out dx, al
  const end = [...(does === 'power-off' ? powerOff : does === 'reset' ? reset : []), ...halt]
  // mov es, ax; mov ax, 301h; mov cx, 2; mov dh, 0; mov bx, 7c00h; int 13h. The firmware left the drive in dl.
  const write = [0x8e, 0xc0, 0xb8, 0x01, 0x03, 0xb9, 0x02, 0x00, 0xb6, 0x00, 0xbb, 0x00, 0x7c, 0xcd, 0x13]
  const draw = [
    ...[0xb8, 0x13, 0x00, 0xcd, 0x10], // mov ax, 13h; int 10h: 320 by 200 pixels, a byte each
    ...[0xb8, 0x00, 0xa0, 0x8e, 0xc0, 0x31, 0xff, 0xb9, 0x00, 0xfa], // mov ax, A000h; mov es, ax; xor di, di; mov cx, 64000
    ...[0x88, 0xc8, 0x30, 0xe8, 0xaa, 0xe2, 0xf9], // mov al, cl; xor al, ch; stosb; loop back
  ]
  // cli; xor ax, ax; mov ds, ax; sti
  const start = [
    0xfa,
    0x31,
    0xc0,
    0x8e,
    0xd8,
    0xfb,
    ...(does === 'write' ? write : does === 'draw' ? draw : []),
  ]
  const loop = [0xac, 0x84, 0xc0, 0x74, 0x08, 0xb4, 0x0e, 0x31, 0xdb, 0xcd, 0x10, 0xeb, 0xf3]
  const textAddress = 0x7c00 + start.length + 3 + loop.length + end.length
  const load = [0xbe, textAddress & 0xff, textAddress >> 8] // mov si, text
  const code = Buffer.from([...start, ...load, ...loop, ...end])
  const disk = Buffer.alloc(1024 * 1024)
  code.copy(disk)
  disk.write(`${text}\0`, code.length, 'latin1')
  disk.writeUInt16LE(0xaa55, 510)
  await writeFile(path, disk)
}
