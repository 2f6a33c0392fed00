import { createHash } from 'node:crypto'
import { fail, ok, type Result } from '../../shared/failure'
import {
  bootableArchitectures,
  defaultDiskBytes,
  headroom,
  neededDiskBytes,
  swapRoom,
  type BuildSettings,
  type PartitionTable,
} from '../../shared/image'
import { smallestBlocks, type TreeSize } from '../disk/ext4/fit'
import type { InspectedImage } from '../source/tree-source'
import { serialPortOf } from './boot-files'
import type { DiskSettings } from './direct/engine'
import { diskSectors } from './direct/partitions'
import { joinEdits, machineEdits, noEdits, type TreeEdits } from './edits'
import { settingsEdits } from './machine/machine-edits'
import { ownHostname } from './machine/own-files'

const MIB = 1024 * 1024

/** Bytes that an MBR can describe: a partition's length is a u32 of sectors (UEFI specification, 5.2.1). */
const MBR_LIMIT = (2 ** 32 - 2048) * 512

/** Bytes of the largest ext4 that Slipway writes: block numbers are 32 bits. */
const EXT4_LIMIT = (2 ** 32 - 1) * 4096

/**
 * The direct engine finds the size by the content up to 1 TiB; what may come near that gets the size that is expected,
 * which is on the large side.
 */
const LARGEST_FITTED = 2 ** 39

/** What the machine's own files and the boot loader take at most in the root: some twenty small files and 200 KiB. */
const OWN_BLOCKS = 128
const OWN_INODES = 64

/** All that an engine needs to know to make a disk. */
export interface BuildPlan {
  /**
   * Bytes of the whole disk, a multiple of 1 MiB; or as many as the content needs, with that share of it and so many bytes
   * free. What an engine says of an image's size is another with each engine, and has no part in it.
   */
  size: DiskSettings['size']
  /** Bytes that the disk will have, as well as they are known before. */
  expectedBytes: number
  /** Bytes of them that the machine's swap file needs. */
  swapBytes: number
  table: PartitionTable
  /** UUID of the root file system. */
  rootUuid: string
  /** MBR disk signature, u32, not 0. */
  diskSignature: number
  /** What the machine boots; null for a disk that is not to boot. */
  boot: BootPlan | null
  manifest: boolean
  edits: TreeEdits
}

export interface BootPlan {
  /** Go's name. */
  architecture: string
  /** Paths in the machine. */
  kernelPath: string
  initramfsPath: string
  /** Words for the kernel's command line beyond the root; may be empty. */
  kernelArguments: string
  /** A second boot entry with the console on the first serial port. */
  serialConsole: boolean
}

/**
 * Decides what is to be made of an image. Pure: one image and one choice of
 * settings give one plan, so that the same disk comes out each time.
 * @param image what the image has
 * @param settings what was chosen
 * @returns the plan, or the first reason why nothing could boot: `image-architecture`,
 *   `kernel-missing`, `initramfs-missing`, `init-missing`, `setting-unmet`, `setting-invalid`, `size-too-small`, `size-too-large`, `not-supported`
 */
export function planBuild(image: InspectedImage, settings: BuildSettings): Result<BuildPlan> {
  const { engine, table, manifest } = settings
  if (engine === 'kernel' && settings.boot && image.architecture === 'arm64') {
    return fail('not-supported', { what: 'disks for arm64 by the kernel engine' })
  }
  if (engine === 'kernel' && (table !== 'mbr' || !settings.boot || manifest)) {
    return fail('not-supported', { what: 'GPT, data disks and lists of files by the kernel engine' })
  }
  const boot = settings.boot ? planBoot(image, settings) : ok(null)
  if (!boot.ok) return boot
  const swap = swapRoom(settings)
  const treeBytes =
    image.measured === null || engine === 'kernel'
      ? neededDiskBytes(image.sizeBytes, settings.boot)
      : smallestDiskBytes(image.measured, table, settings.boot)
  const neededBytes = treeBytes + swap.neededBytes
  const defaultBytes = Math.max(defaultDiskBytes(image.sizeBytes), treeBytes) + swap.defaultBytes
  // Down, for 4 GB are to fit on a stick of 4 GB.
  const expectedBytes = Math.floor((settings.sizeBytes ?? defaultBytes) / MIB) * MIB
  const isChosen = settings.sizeBytes !== null || engine === 'kernel' || expectedBytes > LARGEST_FITTED
  if (expectedBytes < neededBytes) return fail('size-too-small', { sizeBytes: expectedBytes, neededBytes })
  const limitBytes = table === 'mbr' ? MBR_LIMIT : EXT4_LIMIT
  if (expectedBytes > limitBytes) return fail('size-too-large', { sizeBytes: expectedBytes, limitBytes })

  const size = isChosen
    ? { bytes: expectedBytes }
    : { freeShare: headroom.share, freeBytes: headroom.bytes + swap.defaultBytes }
  const seed = createHash('sha256')
    .update(`slipway disk ${image.id} ${engine} ${JSON.stringify(size)} ${table} ${boot.value !== null}`)
    .digest()
  const rootUuid = uuidFrom(seed.subarray(0, 16))
  // What an archive has stands in it; an engine's export has more than the image.
  const asItIs = image.file === null ? containerResidue : noEdits
  const edits = boot.value === null ? ok(asItIs) : editsOf(image, settings, rootUuid)
  if (!edits.ok) return edits
  return ok({
    size,
    expectedBytes,
    swapBytes: swap.neededBytes,
    table,
    rootUuid,
    // Zero stands for no signature.
    diskSignature: seed.readUInt32LE(16) || 1,
    boot: boot.value,
    manifest,
    edits: edits.value,
  })
}

/**
 * What an engine puts into every container before it is exported, whatever the image had under these names, with the
 * container's time (moby, daemon/initlayer/setup_unix.go). The directories are mount points, empty in every image that
 * an engine built: what they get is a time that is the same for each export.
 */
const containerResidue: TreeEdits = {
  removed: ['.dockerenv', 'etc/resolv.conf', 'etc/hosts', 'etc/hostname', 'etc/mtab', 'dev/console'],
  emptied: ['dev/pts', 'dev/shm', 'proc', 'sys'].map((path) => ({ path, mode: 0o755 })),
  added: [],
}

/**
 * The smallest disk of the direct engine that holds a measured tree.
 * @param boots false for a disk of data alone; a disk that boots has an EFI system partition here
 * @returns bytes, a multiple of 1 MiB
 */
export function smallestDiskBytes(tree: TreeSize, table: PartitionTable, boots: boolean): number {
  const whole = boots ? { blocks: tree.blocks + OWN_BLOCKS, inodes: tree.inodes + OWN_INODES } : tree
  return diskSectors(smallestBlocks(whole) * 8, table, boots) * 512
}

/** Refuses an image for computers that there are no boot loaders for: `image-architecture`. */
export function checkArchitecture({ name, architecture }: InspectedImage): Result<null> {
  if (bootableArchitectures.some((known) => known === architecture)) return ok(null)
  const supported = bootableArchitectures.join(' and ')
  return fail('image-architecture', { image: name, architecture, supported })
}

function planBoot(image: InspectedImage, settings: BuildSettings): Result<BootPlan> {
  const { name, kernel, initramfs, init } = image
  const architecture = checkArchitecture(image)
  if (!architecture.ok) return architecture
  if (kernel === null) return fail('kernel-missing', { image: name })
  if (initramfs === null) return fail('initramfs-missing', { image: name })
  if (init === null) return fail('init-missing', { image: name })
  return ok({
    architecture: image.architecture,
    kernelPath: kernel.path,
    initramfsPath: initramfs.path,
    // Every initial RAM disk looks there by itself; elsewhere it has to be told.
    kernelArguments: [
      init.path === '/sbin/init' ? '' : `init=${init.path}`,
      // Alpine's RAM disk loads and mounts nothing else by itself (mkinitfs, initramfs-init).
      image.packageManager === 'apk' ? 'rootfstype=ext4 modules=sd-mod,usb-storage,ext4' : '',
      settings.kernelArguments,
    ]
      .filter((words) => words !== '')
      .join(' '),
    serialConsole: settings.machine.serialConsole,
  })
}

function editsOf(image: InspectedImage, settings: BuildSettings, rootUuid: string): Result<TreeEdits> {
  const { machine, kernelArguments } = settings
  const isSystemd = image.init?.kind === 'systemd'
  const console = `console=${serialPortOf(image.architecture)}`
  const hasSerialConsole = machine.serialConsole || kernelArguments.split(/[ ,]/).includes(console)
  const chosen = settingsEdits(image, machine, hasSerialConsole)
  if (!chosen.ok) return chosen
  const residue = machineEdits({
    hostname: machine.hostname ?? ownHostname(image.files.hostname) ?? hostnameOf(image.name),
    rootUuid,
    init: image.init?.kind ?? 'unknown',
    resolved: isSystemd && image.hasResolved,
    masked: image.files.masked,
    own: image.files,
  })
  return ok(joinEdits(residue, chosen.value))
}

/** Sixteen bytes as a UUID of version 8, which is free for uses of one's own (RFC 9562, 5.8). */
function uuidFrom(bytes: Uint8Array): string {
  const own = Buffer.from(bytes)
  own.writeUInt8((own.readUInt8(6) & 0x0f) | 0x80, 6)
  own.writeUInt8((own.readUInt8(8) & 0x3f) | 0x80, 8)
  return own.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

/**
 * A host name after the image: the last part of its name without the tag, in
 * the letters that a host name has (RFC 1123, 2.1).
 * @param imageName such as `registry:5000/me/my-machine:latest`
 */
export function hostnameOf(imageName: string): string {
  const last = imageName.split('/').at(-1) ?? ''
  const name = (last.split(/[:@]/)[0] ?? '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 63)
    .replace(/^-+|-+$/g, '')
  // An image without a name is called by its id, which would make a poor one.
  return name === '' || /^[0-9a-f]{12,}$/.test(name) ? 'slipway' : name
}
