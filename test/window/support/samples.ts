import type { Volume } from '../../../src/shared/drive'
import type { ImageFacts, ImageSummary } from '../../../src/shared/image'
import type { TopicName } from '../../../src/shared/ipc/channels'
import type { ListedDisk, ListedDrive, TopicValue } from '../../../src/shared/ipc/contract'
import type { JobSnapshot } from '../../../src/shared/job'

export type Topics = { [N in TopicName]: TopicValue<N> }

export const GIGABYTE = 1_000_000_000
const HOUR = 3_600_000

const digest = (start: string): string => `sha256:${start.padEnd(64, '7d3e91c04b')}`

/** The HOWTO's image. */
export const machineImage: ImageSummary = {
  id: digest('a1'),
  names: ['my-machine:latest'],
  sizeBytes: 1_160_000_000,
  createdAt: Date.now() - 2 * HOUR,
  architecture: 'amd64',
  file: null,
}

/** An image with an application alone. */
export const applicationImage: ImageSummary = {
  id: digest('b2'),
  names: ['tiny-app:latest'],
  sizeBytes: 124_000_000,
  createdAt: Date.now() - 30 * HOUR,
  architecture: 'amd64',
  file: null,
}

export const images: ImageSummary[] = [
  machineImage,
  applicationImage,
  { ...applicationImage, id: digest('c3'), names: ['nginx:1.27'], sizeBytes: 192_000_000 },
  { ...applicationImage, id: digest('d4'), names: ['debian:12', 'debian:bookworm'], sizeBytes: 117_000_000 },
  { ...applicationImage, id: digest('e5'), names: [], sizeBytes: 88_000_000, architecture: 'arm64' },
]

export const machineFacts: ImageFacts = {
  id: machineImage.id,
  name: 'my-machine:latest',
  file: null,
  architecture: 'amd64',
  sizeBytes: machineImage.sizeBytes,
  createdAt: machineImage.createdAt,
  distribution: { id: 'debian', version: '12', prettyName: 'Debian GNU/Linux 12 (bookworm)' },
  kernel: { path: '/vmlinuz', version: '6.1.0-37-amd64' },
  initramfs: { path: '/initrd.img' },
  init: { kind: 'systemd', path: '/sbin/init' },
  rootLogin: 'no-password',
  applications: {
    ...{ entrypoint: [], command: ['/bin/bash'], ports: [], environment: [], volumes: [] },
    ...{ workingDirectory: '/', user: '' },
  },
  packageManager: 'apt',
  network: null,
  users: [{ name: 'root', id: 0, hasPassword: true, hasKeys: false }],
  equipment: ['zoneinfo', 'setupcon', 'sfdisk', 'resize2fs'],
  recipe: { family: 'debian', proven: true },
  missing: ['network'],
}

export const facts: ImageFacts[] = [
  machineFacts,
  ...images.slice(1).map((image) => ({
    ...machineFacts,
    id: image.id,
    name: image.names[0] ?? image.id,
    sizeBytes: image.sizeBytes,
    createdAt: image.createdAt,
    kernel: null,
    initramfs: null,
    init: null,
    rootLogin: 'locked' as const,
    applications: {
      ...machineFacts.applications,
      ...{ entrypoint: ['/srv/serve'], command: ['--port', '8080'], ports: ['8080/tcp'] },
    },
    users: [],
    equipment: ['zoneinfo' as const],
    missing: ['kernel' as const, 'initramfs' as const, 'init' as const, 'login' as const, 'network' as const],
  })),
]

/** What an image with an application alone has. */
export const applicationFacts = facts[1] ?? machineFacts

/** A disk that was never booted. */
export const unprovenDisk: ListedDisk = {
  id: 'disk-machine',
  name: 'my-machine.img',
  path: '/home/ada/Disks/my-machine.img',
  present: true,
  sizeBytes: 2_281_701_376,
  builtAt: Date.now() - HOUR,
  source: { image: 'my-machine:latest', digest: machineImage.id },
  engine: 'kernel',
  format: 'raw',
  table: 'mbr',
  firmware: ['bios'],
  secureBoot: false,
  architecture: 'amd64',
  ports: [80],
  proofs: [],
}

/** A disk that was seen to boot. */
export const provenDisk: ListedDisk = {
  id: 'disk-server',
  name: 'server.img',
  path: '/home/ada/Disks/server.img',
  present: true,
  sizeBytes: 4_000_000_000,
  builtAt: Date.now() - 50 * HOUR,
  source: { image: 'server:2', digest: digest('f6') },
  engine: 'direct',
  format: 'raw',
  table: 'mbr',
  firmware: ['bios', 'uefi'],
  secureBoot: true,
  architecture: 'amd64',
  ports: [],
  proofs: [
    {
      firmware: 'uefi',
      outcome: 'login',
      at: Date.now() - 49 * HOUR,
      milliseconds: 38_200,
      attachment: 'usb',
      accelerator: 'tcg',
      failedUnits: [],
      lines: ['server login:'],
      picture: true,
      file: { modifiedAt: Date.now() - 50 * HOUR, sizeBytes: 4_000_000_000 },
    },
  ],
}

export const disks: ListedDisk[] = [unprovenDisk, provenDisk]

const photos: Volume = {
  device: '/dev/sdb1',
  label: 'PHOTOS 2019',
  fileSystem: 'exfat',
  sizeBytes: 24_000_000_000,
  startBytes: 1_048_576,
  usedBytes: null,
  mountpoints: [],
}

const baseDrive: ListedDrive = {
  key: 'usb-sandisk',
  name: 'SanDisk Ultra',
  nameToType: 'SanDisk Ultra',
  reasons: [],
  device: '/dev/sdb',
  majorMinor: '8:16',
  sizeBytes: 32_010_928_128,
  vendor: 'SanDisk',
  model: 'Ultra',
  serial: '4C530001260817117234',
  wwn: '',
  bus: 'usb',
  port: 'usb1/1-2',
  diskSequence: '12',
  byId: ['usb-SanDisk_Ultra_4C530001260817117234-0:0'],
  layout: 'a layout',
  contents: 'a content',
  type: 'disk',
  readOnly: false,
  removable: true,
  volumes: [
    photos,
    {
      device: '/dev/sdb2',
      label: null,
      fileSystem: 'ext4',
      sizeBytes: 5_000_000_000,
      startBytes: 24_001_048_576,
      usedBytes: null,
      mountpoints: [],
    },
  ],
  mountpoints: [],
  systemPaths: [],
  holders: [],
}

/** Not mounted: free to be written. */
export const freeDrive: ListedDrive = baseDrive

/** A drive whose volume has characters in its name that turn the text around. */
export const deceptiveDrive: ListedDrive = {
  ...baseDrive,
  volumes: [{ ...photos, label: 'safe\u202etxt.gpj' }],
}

/** Two sticks that are alike in everything but their place. */
export const twinDrives: ListedDrive[] = [
  { ...baseDrive, nameToType: 'SanDisk Ultra sdb' },
  {
    ...baseDrive,
    ...{
      key: 'usb-twin',
      nameToType: 'SanDisk Ultra sdd',
      device: '/dev/sdd',
      majorMinor: '8:48',
      port: 'usb1/1-3',
    },
  },
]

export const mountedDrive: ListedDrive = {
  ...baseDrive,
  key: 'usb-kingston',
  name: 'Kingston DataTraveler 3.0',
  nameToType: 'Kingston DataTraveler 3.0',
  vendor: 'Kingston',
  model: 'DataTraveler 3.0',
  serial: '60A44C3FAE2BB',
  device: '/dev/sdc',
  majorMinor: '8:32',
  port: 'usb2/2-1',
  reasons: ['mounted'],
  sizeBytes: 15_518_924_800,
  mountpoints: ['/media/ada/BACKUP'],
  volumes: [
    {
      device: '/dev/sdc1',
      label: 'BACKUP',
      fileSystem: 'vfat',
      sizeBytes: 15_517_876_224,
      startBytes: 1_048_576,
      usedBytes: 7_400_000_000,
      mountpoints: ['/media/ada/BACKUP'],
    },
  ],
}

export const smallDrive: ListedDrive = {
  ...baseDrive,
  key: 'mmc-old',
  name: 'mmcblk0',
  nameToType: 'mmcblk0',
  vendor: '',
  model: '',
  serial: '0x1f2e3d4c',
  device: '/dev/mmcblk0',
  majorMinor: '179:0',
  bus: 'mmc',
  sizeBytes: 1_020_000_000,
  volumes: [],
}

/** Free, but built into this computer. */
export const builtInDrive: ListedDrive = {
  ...baseDrive,
  key: 'nvme-second',
  name: 'WD Black SN770',
  nameToType: 'WD Black SN770',
  vendor: '',
  model: 'WD Black SN770',
  device: '/dev/nvme1n1',
  bus: 'nvme',
  removable: false,
  sizeBytes: 1_000_204_886_016,
  reasons: ['not-removable', 'large'],
}

export const systemDrive: ListedDrive = {
  ...baseDrive,
  key: 'usb-system',
  name: 'Samsung Portable SSD T7',
  nameToType: 'Samsung Portable SSD T7',
  vendor: 'Samsung',
  model: 'Portable SSD T7',
  device: '/dev/sda',
  majorMinor: '8:0',
  sizeBytes: 500_107_862_016,
  reasons: ['system', 'mounted', 'large'],
  systemPaths: ['/', '/boot/efi'],
  mountpoints: ['/', '/boot/efi'],
  volumes: [
    {
      device: '/dev/sda1',
      label: 'EFI',
      fileSystem: 'vfat',
      sizeBytes: 536_870_912,
      startBytes: 1_048_576,
      usedBytes: 6_000_000,
      mountpoints: ['/boot/efi'],
    },
    {
      device: '/dev/sda2',
      label: 'root',
      fileSystem: 'ext4',
      sizeBytes: 499_000_000_000,
      startBytes: 537_919_488,
      usedBytes: 210_000_000_000,
      mountpoints: ['/'],
    },
  ],
}

export const drives: ListedDrive[] = [freeDrive, mountedDrive, smallDrive, systemDrive]

export const engineReady: TopicValue<'engine'> = {
  state: 'ready',
  architectures: { own: 'amd64', emulated: [] },
  name: 'Docker',
  version: '27.3.1',
  socket: '/var/run/docker.sock',
}

export const engineStopped: TopicValue<'engine'> = {
  state: 'unavailable',
  failure: { code: 'engine-stopped', facts: { socket: '/var/run/docker.sock' } },
}

export const host: TopicValue<'host'> = {
  platform: 'linux',
  qemu: {
    firmware: { amd64: ['bios', 'uefi', 'secure-boot'], arm64: [] },
    remedy: {
      amd64: 'sudo apt install qemu-system-x86 qemu-utils ovmf',
      arm64: 'sudo apt install qemu-system-arm qemu-utils qemu-efi-aarch64',
    },
  },
  processors: 8,
  memoryBytes: 16 * 2 ** 30,
  elevation: { needed: true, found: true, remedy: '' },
  engines: {
    direct: { firmware: ['bios', 'uefi'], missing: [], remedy: '' },
    kernel: { firmware: ['bios'], missing: [], remedy: '' },
  },
}

/** Nothing there yet, engine ready. */
export const emptyTopics: Topics = {
  engine: engineReady,
  images: [],
  drives: [],
  disks: [],
  jobs: [],
  previews: [],
  host,
  fullScreen: false,
}

/** Images, disks and drives, nothing going on. */
export const fullTopics: Topics = { ...emptyTopics, images, drives, disks }

const jobBase = { startedAt: Date.now() - 6000, diskId: 'disk-machine' }

export const buildJob: JobSnapshot = {
  ...jobBase,
  id: 'build-1',
  kind: 'build',
  title: 'my-machine.img',
  diskId: 'disk-new',
  state: 'running',
  phase: 'copy',
  fraction: 0.62,
  bytesPerSecond: 410_000_000,
  remaining: 3000,
}

export const openJob: JobSnapshot = {
  ...jobBase,
  id: 'open-1',
  kind: 'open',
  title: 'server.tar.xz',
  diskId: null,
  state: 'running',
  phase: 'unpack',
  fraction: 0.31,
  bytesPerSecond: 12_000_000,
  remaining: 9000,
}

export const flashJob: JobSnapshot = {
  ...jobBase,
  id: 'flash-1',
  kind: 'flash',
  title: 'SanDisk Ultra',
  state: 'running',
  phase: 'verify',
  fraction: 0.81,
  bytesPerSecond: 96_000_000,
  remaining: 12_000,
}

export const previewJob: JobSnapshot = {
  ...jobBase,
  id: 'preview-1',
  kind: 'preview',
  title: 'my-machine.img',
  state: 'running',
  phase: 'run',
  fraction: 1,
  bytesPerSecond: null,
  remaining: null,
}

export const proofJob: JobSnapshot = {
  ...previewJob,
  id: 'proof-1',
  kind: 'proof',
  phase: 'boot',
  fraction: 0.5,
}

export const previewState: TopicValue<'previews'>[number] = {
  previewId: 'machine-1',
  jobId: 'preview-1',
  diskId: 'disk-machine',
  choice: {
    firmware: 'bios',
    attachment: 'usb',
    memoryBytes: 2 ** 30,
    processors: 2,
    keepChanges: false,
  },
  accelerator: 'tcg',
  fallback: null,
  ports: [],
  outcome: null,
}

/** The same job, ended. */
export function ended(job: JobSnapshot, state: 'succeeded' | 'cancelled'): JobSnapshot {
  const { id, kind, title, startedAt, diskId } = job
  return { id, kind, title, startedAt, diskId, state, endedAt: startedAt + 74_000 }
}

export const failedBuild: JobSnapshot = {
  ...jobBase,
  id: 'build-1',
  kind: 'build',
  title: 'my-machine.img',
  diskId: null,
  state: 'failed',
  endedAt: Date.now(),
  failure: {
    code: 'no-space',
    facts: { path: '/home/ada/Disks', neededBytes: 2_281_701_376, freeBytes: 512_000_000 },
  },
}

/** A public key of OpenSSH and its fingerprint, by ssh-keygen -l. */
export const publicKey =
  'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIN/MUQ9xDKDohbUtjmyQUxjac6qb2FfhAASQgjB7A/my ada@workshop'
export const publicKeyFingerprint = 'SHA256:uGEIyHFlbJh/UnMNyyeF8DxOS2Sb/xi+nxLRRkURWYA'
