import type { DiskFormat } from '../../shared/disk'
import type { Attachment } from '../../shared/proof'

/** What the machine's processor is; QEMU's names for them are in `programs`. */
export type Architecture = 'amd64' | 'arm64'
/** What runs the guest's instructions: the virtualisation of Linux, of macOS or of Windows, or QEMU's own translation. */
export type Accelerator = 'kvm' | 'hvf' | 'whpx' | 'tcg'

/** A TCP port of this host's loopback address that leads to one of the machine. */
export interface PortForward {
  hostPort: number
  guestPort: number
}

/** UEFI: the code is shared and read-only, the variables are this machine's own copy. `secure`: code that keeps Secure Boot's keys from the guest by System Management Mode. */
export type FirmwareFiles =
  { kind: 'bios' } | { kind: 'uefi'; codePath: string; variablesPath: string; secure: boolean }

/** Formats of a disk that QEMU reads, by QEMU's names. */
export type ReadableFormat = Exclude<DiskFormat, 'gz' | 'xz' | 'zst'>

export interface MachineSettings {
  architecture: Architecture
  firmware: FirmwareFiles
  accelerator: Accelerator
  attachment: Attachment
  memoryBytes: number
  processors: number
  /** What takes the writes: a qcow2 overlay, or the disk itself where its changes are to be kept. */
  disk: { path: string; format: ReadableFormat; isOverlay: boolean }
  /** QEMU makes this unix socket and speaks RFB on it. */
  screenSocket: string
  /** Unix socket, listened on by us, to which the machine's first serial port connects. */
  serialSocket: string
  /** Unix socket, listened on by us, to which QEMU's control protocol (QMP) connects. */
  controlSocket: string
  ports: readonly PortForward[]
  /** Whether QEMU may confine itself with seccomp, which only Linux has. */
  sandbox: boolean
}

const MIB = 1024 * 1024

/**
 * The processor under translation: `max` has what the distributions' baselines
 * need (x86-64-v2, v3); five-level page tables and QARMA5 pointer
 * authentication are left out because they only make translation slower.
 */
const translatedProcessors: Record<Architecture, string> = {
  amd64: 'max,la57=off',
  arm64: 'max,pauth-impdef=on',
}

/** QEMU's words for an accelerator. */
function acceleratorWords(architecture: Architecture, accelerator: Accelerator): string {
  if (accelerator === 'tcg') return 'tcg,thread=multi'
  // WHPX loses the guests' interrupts with its own controller (QEMU issue 346), and knows no other on Arm.
  if (accelerator === 'whpx' && architecture === 'amd64') return 'whpx,kernel-irqchip=off'
  return accelerator
}

/** The guest's processor (qemu(1), -cpu). */
function processorOf(architecture: Architecture, accelerator: Accelerator): string {
  if (accelerator === 'tcg') return translatedProcessors[architecture]
  // WHPX has no `host`, and was reported to hang under OVMF with `max`: the first processor of x86-64-v2.
  if (accelerator === 'whpx') return architecture === 'amd64' ? 'Nehalem' : 'max'
  // It makes a nested KVM abort on some hosts, which is why KVM is given up when QEMU ends.
  return 'host'
}

/** A PC of 2009, and the board that QEMU made up for ARM (QEMU docs/system/i386/pc, arm/virt). */
const boards: Record<Architecture, string> = { amd64: 'q35', arm64: 'virt' }

/** What a board lacks of what every machine here has: `virt` has no keyboard, no SATA and no VGA. */
const devices: Record<Architecture, string[]> = {
  // Without its ROM the network card is no boot device.
  amd64: ['VGA', 'qemu-xhci,id=usb', 'e1000e,netdev=network,romfile='],
  arm64: [
    'virtio-gpu-pci',
    'qemu-xhci,id=usb',
    'usb-kbd,bus=usb.0',
    'ich9-ahci,id=ide',
    'virtio-net-pci,netdev=network,romfile=',
  ],
}

/** bootindex makes the disk the one thing that the firmware tries (with `-boot strict=on`). */
const diskDevices: Record<Attachment, string> = {
  usb: 'usb-storage,bus=usb.0,drive=disk,removable=on,bootindex=0',
  sata: 'ide-hd,bus=ide.0,drive=disk,bootindex=0',
  virtio: 'virtio-blk-pci,drive=disk,bootindex=0',
  nvme: 'nvme,drive=disk,serial=slipway,bootindex=0',
}

/** In QEMU's comma-separated options a comma within a value is written twice (qemu(1)). */
function escapeCommas(value: string): string {
  return value.replaceAll(',', ',,')
}

/** A node of QEMU's block layer, as JSON, where no path needs escaping. */
function blockNode(
  name: string,
  driver: string,
  filename: string,
  writes: 'none' | 'thrown-away' | 'kept',
): string {
  return JSON.stringify({
    driver,
    'node-name': name,
    'read-only': writes === 'none',
    file: { driver: 'file', filename },
    // What is thrown away need not survive a power cut.
    ...(writes === 'thrown-away' ? { cache: { 'no-flush': true } } : {}),
    // What the guest discards becomes a hole again.
    ...(writes === 'kept' ? { discard: 'unmap' } : {}),
  })
}

/** The board with its firmware. Secure Boot needs System Management Mode, which alone may write the variables (edk2 OvmfPkg/README). */
function boardArguments(architecture: Architecture, firmware: FirmwareFiles): string[] {
  if (firmware.kind === 'bios') return ['-machine', boards[architecture]]
  const secure = firmware.secure && architecture === 'amd64'
  return [
    ...['-machine', `${boards[architecture]}${secure ? ',smm=on' : ''},pflash0=firmware,pflash1=variables`],
    ...(secure
      ? [
          ...['-global', 'driver=cfi.pflash01,property=secure,value=on'],
          // Waking from sleep would leave that mode's memory open.
          ...['-global', 'ICH9-LPC.disable_s3=1'],
        ]
      : []),
    ...['-blockdev', blockNode('firmware', 'raw', firmware.codePath, 'none')],
    ...['-blockdev', blockNode('variables', 'raw', firmware.variablesPath, 'thrown-away')],
  ]
}

/**
 * QEMU's arguments for a machine (without the program's name). Nothing of it
 * opens a TCP port but the forwarded ones, and those only on 127.0.0.1.
 * QEMU connects to our serial and control sockets, not we to its: when we are
 * dead, connecting fails and QEMU ends by itself.
 * Options are those of QEMU 6.2 and later (qemu(1)).
 * @param settings the machine; sizes in bytes
 */
export function qemuArguments(settings: MachineSettings): string[] {
  const { architecture, accelerator, attachment, disk } = settings
  const forwards = settings.ports.map(
    ({ hostPort, guestPort }) => `,hostfwd=tcp:127.0.0.1:${hostPort}-:${guestPort}`,
  )
  return [
    '-nodefaults',
    '-no-user-config',
    ...['-name', 'slipway-preview'],
    ...boardArguments(architecture, settings.firmware),
    ...['-accel', acceleratorWords(architecture, accelerator)],
    ...['-cpu', processorOf(architecture, accelerator)],
    ...['-smp', String(settings.processors)],
    ...['-m', `${Math.floor(settings.memoryBytes / MIB)}M`],
    ...['-boot', 'strict=on'],
    ...['-netdev', `user,id=network${forwards.join('')}`],
    ...devices[architecture].flatMap((device) => ['-device', device]),
    ...['-blockdev', blockNode('disk', disk.format, disk.path, disk.isOverlay ? 'thrown-away' : 'kept')],
    ...['-device', diskDevices[attachment]],
    // An absolute pointer, so that the window's pointer and the guest's are the same.
    ...['-device', 'usb-tablet,bus=usb.0'],
    ...['-vnc', `unix:${escapeCommas(settings.screenSocket)}`],
    ...['-chardev', `socket,id=serial,path=${escapeCommas(settings.serialSocket)}`],
    ...['-serial', 'chardev:serial'],
    ...['-chardev', `socket,id=control,path=${escapeCommas(settings.controlSocket)}`],
    ...['-mon', 'chardev=control,mode=control'],
    ...(settings.sandbox
      ? ['-sandbox', 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny']
      : []),
  ]
}
