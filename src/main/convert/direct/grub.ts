import { kernelWords } from '../../../shared/kernel-arguments'
import { type BootEntry, kernelEntries } from '../boot-files'
import { shellWord } from '../machine/text'

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
      `  linux ${entry.kernelPath} ${grubWords(commandLine)}`,
      `  initrd ${entry.initramfsPath}`,
      '}',
    ]),
    '',
  ].join('\n')
}

/**
 * A command line in GRUB's language, in which `$`, `;`, `#` and others mean something. It takes words apart as a shell
 * does (GRUB manual, "Quoting"), and puts double quotes around those with spaces when it hands them to the kernel.
 */
function grubWords(commandLine: string): string {
  const words = kernelWords(commandLine)
  if (words === null) throw new Error(`not for every boot loader: ${commandLine}`)
  return words.map(shellWord).join(' ')
}
