import { open, readFile, truncate, writeFile } from 'node:fs/promises'
import { encodeFat32, type FatFile } from '../../src/main/disk/fat32/encode'
import { encodeMbr, ESP_TYPE } from '../../src/main/disk/mbr'
import { tinyEfi } from './tiny-efi'

const START = 2048
const SECTORS = 128 * 1024
/** GRUB in one file, as Debian has it (package grub-efi-amd64-bin); nobody has signed it. */
const GRUB = '/usr/lib/grub/x86_64-efi/monolithic/grubx64.efi'

/**
 * Makes a disk with nothing but an EFI system partition and an unsigned GRUB without a configuration: it comes to
 * GRUB's prompt, and under Secure Boot to a refusal.
 * @param path where to write it
 */
export async function writeEspDisk(path: string): Promise<void> {
  await writeEsp(path, [{ path: 'EFI/BOOT/BOOTX64.EFI', data: await readFile(GRUB) }])
}

/**
 * The smallest disk that boots under UEFI, on x86-64 and on arm64: it shows a text and waits. It stands for a whole
 * system where a test is about the machine and not about what boots in it.
 * @param path where to write it
 * @param text ASCII, at most 200 characters
 */
export async function writeTinyEspDisk(path: string, text: string): Promise<void> {
  await writeEsp(path, [
    { path: 'EFI/BOOT/BOOTX64.EFI', data: tinyEfi('amd64', text) },
    { path: 'EFI/BOOT/BOOTAA64.EFI', data: tinyEfi('arm64', text) },
  ])
}

async function writeEsp(path: string, files: FatFile[]): Promise<void> {
  const { pieces } = encodeFat32(files, {
    sectors: SECTORS,
    hiddenSectors: START,
    volumeId: 1,
    label: 'ESP',
    time: 0,
  })
  const table = encodeMbr(new Uint8Array(), 1, [
    { type: ESP_TYPE, active: false, start: START, count: SECTORS },
  ])
  await writeFile(path, table)
  await truncate(path, (START + SECTORS) * 512)
  const file = await open(path, 'r+')
  try {
    for (const { offset, bytes } of pieces) await file.write(bytes, 0, bytes.length, START * 512 + offset)
  } finally {
    await file.close()
  }
}
