import { createHash } from 'node:crypto'
import { fail, ok, type Result } from '../../shared/failure'
import { defaultDiskBytes, neededDiskBytes, type BuildSettings } from '../../shared/image'
import type { InspectedImage } from '../source/tree-source'
import { machineEdits, type TreeEdits } from './edits'

const MIB = 1024 * 1024

/** Bytes that an MBR can describe: a partition's length is a u32 of sectors (UEFI specification, 5.2.1). */
const MBR_LIMIT = (2 ** 32 - 2048) * 512

/** Go's name of the one architecture that Slipway has boot loaders for. */
export const SUPPORTED_ARCHITECTURE = 'amd64'

/** All that an engine needs to know to make a disk. */
export interface BuildPlan {
  /** Bytes of the whole disk, a multiple of 1 MiB. */
  sizeBytes: number
  /** UUID of the root file system. */
  rootUuid: string
  /** MBR disk signature, u32, not 0. */
  diskSignature: number
  hostname: string
  /** Paths in the machine. */
  kernelPath: string
  initramfsPath: string
  /** Words for the kernel's command line beyond the root; may be empty. */
  kernelArguments: string
  edits: TreeEdits
}

/**
 * Decides what is to be made of an image. Pure: one image and one choice of
 * settings give one plan, so that the same disk comes out each time.
 * @param image what the image has
 * @param settings what was chosen
 * @returns the plan, or the first reason why nothing could boot: `image-architecture`,
 *   `kernel-missing`, `initramfs-missing`, `init-missing`, `size-too-small`, `size-too-large`
 */
export function planBuild(image: InspectedImage, settings: BuildSettings): Result<BuildPlan> {
  const { name } = image
  if (image.architecture !== SUPPORTED_ARCHITECTURE) {
    const { architecture } = image
    return fail('image-architecture', { image: name, architecture, supported: SUPPORTED_ARCHITECTURE })
  }
  if (image.kernel === null) return fail('kernel-missing', { image: name })
  if (image.initramfs === null) return fail('initramfs-missing', { image: name })
  if (image.init === null) return fail('init-missing', { image: name })
  const neededBytes = neededDiskBytes(image.sizeBytes)
  const sizeBytes = Math.ceil((settings.sizeBytes ?? defaultDiskBytes(image.sizeBytes)) / MIB) * MIB
  if (sizeBytes < neededBytes) return fail('size-too-small', { sizeBytes, neededBytes })
  if (sizeBytes > MBR_LIMIT) return fail('size-too-large', { sizeBytes, limitBytes: MBR_LIMIT })

  const seed = createHash('sha256')
    .update(`slipway disk ${image.id} ${settings.engine} ${sizeBytes}`)
    .digest()
  const rootUuid = uuidFrom(seed.subarray(0, 16))
  const hostname = hostnameOf(name)
  const isSystemd = image.init.kind === 'systemd'
  return ok({
    sizeBytes,
    rootUuid,
    // Zero stands for no signature.
    diskSignature: seed.readUInt32LE(16) || 1,
    hostname,
    kernelPath: image.kernel.path,
    initramfsPath: image.initramfs.path,
    // Every initial RAM disk looks there by itself; elsewhere it has to be told.
    kernelArguments: [
      image.init.path === '/sbin/init' ? '' : `init=${image.init.path}`,
      settings.kernelArguments,
    ]
      .filter((words) => words !== '')
      .join(' '),
    edits: machineEdits({
      hostname,
      rootUuid,
      systemd: isSystemd,
      resolved: isSystemd && image.hasResolved,
    }),
  })
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
