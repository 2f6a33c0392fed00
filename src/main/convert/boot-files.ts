import type { TreeEdits } from './edits'

/** What the boot loader is to load and hand over. */
export interface BootEntry {
  /** UUID of the root file system. */
  rootUuid: string
  /** Go's name. */
  architecture: string
  /** Paths in the machine, with a leading slash; symbolic links are followed by the boot loader. */
  kernelPath: string
  initramfsPath: string
  /** More words for the kernel's command line; may be empty. */
  kernelArguments: string
  /** A second entry, `serial`, with the console on the first serial port. */
  serialConsole: boolean
}

/**
 * The kernel's name of the first serial port: a 16550 on a PC, and the PL011 that QEMU's virt and most arm64 boards
 * have (kernel.org, admin-guide/devices, "204 char").
 * @param architecture Go's name
 */
export function serialPortOf(architecture: string): string {
  return architecture === 'arm64' ? 'ttyAMA0' : 'ttyS0'
}

/** An entry of the boot loader's menu; the first is booted unless somebody chooses. */
export interface KernelEntry {
  label: string
  title: string
  commandLine: string
}

/**
 * The kernel's command line: the root by UUID, waited for (a stick is slow to
 * appear), writable from the start as the image has no other step for it
 * (kernel-parameters.txt).
 * @param entry what to boot
 */
export function kernelCommandLine(entry: BootEntry): string {
  return `root=UUID=${entry.rootUuid} rootwait rw ${entry.kernelArguments}`.trim()
}

/** The entries of the boot loader's menu, for every boot loader alike. */
export function kernelEntries(entry: BootEntry): KernelEntry[] {
  const commandLine = kernelCommandLine(entry)
  const plain = { label: 'linux', title: 'Linux', commandLine }
  if (!entry.serialConsole) return [plain]
  // The last console is the machine's own (kernel.org, admin-guide/serial-console).
  const serial = `${commandLine} console=tty0 console=${serialPortOf(entry.architecture)},115200`
  return [plain, { label: 'serial', title: 'Linux, serial console', commandLine: serial }]
}

/**
 * The text of syslinux.cfg (syslinux.zytor.com/wiki, "SYSLINUX/Config"): one
 * entry, booted after a second in which a key shows the prompt, or a second one by its label.
 * @param entry what to boot
 */
export function syslinuxConfiguration(entry: BootEntry): string {
  return [
    'DEFAULT linux',
    // Tenths of a second.
    'TIMEOUT 10',
    ...kernelEntries(entry).flatMap(({ label, commandLine }) => [
      `LABEL ${label}`,
      `  KERNEL ${entry.kernelPath}`,
      `  INITRD ${entry.initramfsPath}`,
      `  APPEND ${commandLine}`,
    ]),
    '',
  ].join('\n')
}

/**
 * The boot loader's own part in the tree: its configuration in, that of another
 * installation of it out (extlinux.conf would be read before ours; core/elflink/load_env32.c of syslinux).
 * @param entry what to boot
 */
export function bootEdits(entry: BootEntry): TreeEdits {
  return {
    removed: ['extlinux.conf', 'extlinux.sys', 'ldlinux.sys', 'ldlinux.c32'].map((name) => `boot/${name}`),
    emptied: [],
    added: [
      {
        path: 'boot/syslinux.cfg',
        kind: 'file',
        mode: 0o644,
        content: new TextEncoder().encode(syslinuxConfiguration(entry)),
      },
    ],
  }
}
