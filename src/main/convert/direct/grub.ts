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
    ...kernelEntries(entry).flatMap(({ label, title, commandLine }) => [
      // The menu is there for a second: one key is pressed in time, arrows are not.
      label === 'serial' ? `menuentry '${title} (S)' --hotkey=s {` : `menuentry '${title}' {`,
      `  linux ${entry.kernelPath} ${commandLine}`,
      `  initrd ${entry.initramfsPath}`,
      '}',
    ]),
    '',
  ].join('\n')
}
