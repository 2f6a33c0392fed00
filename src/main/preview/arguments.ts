/** How the disk is plugged into the machine. A stick is the default because that is what the disk will be. */
export type Attachment = 'usb' | 'sata' | 'virtio' | 'nvme'
/** What runs the guest's instructions: the kernel's virtualisation on Linux, on macOS, or QEMU's own translation. */
export type Accelerator = 'kvm' | 'hvf' | 'tcg'

/** A TCP port of this host's loopback address that leads to one of the machine. */
export interface PortForward {
  hostPort: number
  guestPort: number
}

/** UEFI: the code is shared and read-only, the variables are this machine's own copy. */
export type FirmwareFiles = { kind: 'bios' } | { kind: 'uefi'; codePath: string; variablesPath: string }

export interface MachineSettings {
  firmware: FirmwareFiles
  accelerator: Accelerator
  attachment: Attachment
  memoryBytes: number
  processors: number
  /** qcow2 file that takes all writes. */
  overlayPath: string
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
 * The processor for each accelerator. `host` makes a nested KVM abort on some
 * hosts, which is why KVM is given up when QEMU ends. Under translation `max`
 * has what the distributions' baselines need (x86-64-v2, v3); five-level page
 * tables are left out because they only make translation slower.
 */
const processorModels: Record<Accelerator, string> = { kvm: 'host', hvf: 'host', tcg: 'max,la57=off' }

const accelerators: Record<Accelerator, string> = { kvm: 'kvm', hvf: 'hvf', tcg: 'tcg,thread=multi' }

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
function blockNode(name: string, driver: string, filename: string, readOnly: boolean): string {
  return JSON.stringify({
    driver,
    'node-name': name,
    'read-only': readOnly,
    file: { driver: 'file', filename },
    // What is written here is thrown away: it need not survive a power cut.
    ...(readOnly ? {} : { cache: { 'no-flush': true } }),
  })
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
  const { firmware, accelerator, attachment } = settings
  const forwards = settings.ports.map(
    ({ hostPort, guestPort }) => `,hostfwd=tcp:127.0.0.1:${hostPort}-:${guestPort}`,
  )
  const pflash = firmware.kind === 'uefi' ? ',pflash0=firmware,pflash1=variables' : ''
  return [
    '-nodefaults',
    '-no-user-config',
    ...['-name', 'slipway-preview'],
    ...['-machine', `q35${pflash}`],
    ...['-accel', accelerators[accelerator]],
    ...['-cpu', processorModels[accelerator]],
    ...['-smp', String(settings.processors)],
    ...['-m', `${Math.floor(settings.memoryBytes / MIB)}M`],
    ...['-boot', 'strict=on'],
    ...(firmware.kind === 'uefi'
      ? [
          ...['-blockdev', blockNode('firmware', 'raw', firmware.codePath, true)],
          ...['-blockdev', blockNode('variables', 'raw', firmware.variablesPath, false)],
        ]
      : []),
    ...['-blockdev', blockNode('disk', 'qcow2', settings.overlayPath, false)],
    ...['-device', 'VGA'],
    ...['-device', 'qemu-xhci,id=usb'],
    ...['-device', diskDevices[attachment]],
    // An absolute pointer, so that the window's pointer and the guest's are the same.
    ...['-device', 'usb-tablet,bus=usb.0'],
    ...['-netdev', `user,id=network${forwards.join('')}`],
    // Without its ROM the card is no boot device.
    ...['-device', 'e1000e,netdev=network,romfile='],
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
