import { type BootEntry, kernelEntries } from '../boot-files'

/**
 * The text of grub.cfg on the EFI system partition: finds the root by its UUID, and loads what the distribution's
 * links point to (GRUB manual, "search", "linux", "initrd").
 * @param entry what to boot
 */
export function grubConfiguration(entry: BootEntry): string {
  return [
    'set timeout=1',
    `search --no-floppy --fs-uuid --set=root ${entry.rootUuid}`,
    ...kernelEntries(entry).flatMap(({ title, commandLine }) => [
      `menuentry '${title}' {`,
      `  linux ${entry.kernelPath} ${commandLine}`,
      `  initrd ${entry.initramfsPath}`,
      '}',
    ]),
    '',
  ].join('\n')
}
