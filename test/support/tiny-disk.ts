import { writeFile } from 'node:fs/promises'

/**
 * The smallest disk that boots under BIOS: a boot sector that prints a text
 * with int 10h, function 0Eh (teletype), and halts with interrupts on. It
 * stands for a whole system where a test is about the machine and not about
 * what boots in it.
 * @param path where to write it
 * @param text ASCII, at most 400 characters
 * @param poweredOff switches the machine off after the text (ACPI, port 604h of QEMU's q35)
 */
export async function writeTinyDisk(path: string, text: string, poweredOff = false): Promise<void> {
  const halt = [0xf4, 0xeb, 0xfd] // hlt; jmp back
  // mov dx, 604h; mov ax, 2000h; out dx, ax
  const powerOff = [0xba, 0x04, 0x06, 0xb8, 0x00, 0x20, 0xef]
  const end = [...(poweredOff ? powerOff : []), ...halt]
  const start = [0xfa, 0x31, 0xc0, 0x8e, 0xd8, 0xfb] // cli; xor ax, ax; mov ds, ax; sti
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
