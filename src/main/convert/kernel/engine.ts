import type { Readable } from 'node:stream'
import { fail, ok, type Result } from '../../../shared/failure'
import type { KernelBuildRequest } from '../../../shared/helper-protocol'
import { neededDiskBytes } from '../../../shared/image'
import type { JobContext } from '../../../shared/job'
import { runHelperJob } from '../../elevation/helper-client'
import { bootEdits } from '../boot-files'
import { joinEdits, type TreeEdits } from '../edits'
import { filterTar, TarFilterError } from '../tar-filter'
import { findKernelTools } from './tools'

/** What the kernel engine builds from. */
export interface KernelBuild {
  /** The engine's export, as it comes: an uncompressed tar. */
  tar: Readable
  /** Absolute path of a regular, empty file of the user's own. */
  path: string
  sizeBytes: number
  /** UUID of the root file system. */
  uuid: string
  /** MBR disk signature, u32, not 0. */
  diskSignature: number
  /** Paths in the machine, with a leading slash. */
  kernelPath: string
  initramfsPath: string
  /** More words for the kernel's command line. */
  kernelArguments: string
  /** A second boot entry with the console on the first serial port. */
  serialConsole: boolean
  /** What changes between image and machine; the boot loader's part is added here. */
  edits: TreeEdits
  /** Bytes that the tar will have, as far as known, for the progress. */
  tarBytesTotal: number | null
}

/**
 * Builds a disk as the HOWTO does, by the kernel's own ext4 on a loop device,
 * in the elevated helper.
 * @param context the job
 * @param build what from and where to
 * @returns nothing, or why the file is not a usable disk: it is then to be thrown away
 * @throws the signal's reason when the job was cancelled
 */
export async function buildWithKernelEngine(context: JobContext, build: KernelBuild): Promise<Result<null>> {
  if (process.platform !== 'linux') return fail('not-supported', { what: 'the kernel engine on this system' })
  const tools = findKernelTools()
  if (!tools.ok) return tools
  const { path, sizeBytes, diskSignature, kernelPath, initramfsPath, kernelArguments } = build
  const request: KernelBuildRequest = {
    type: 'build',
    path,
    sizeBytes,
    fileSystemUuid: build.uuid,
    label: 'slipway',
    diskSignature,
    kernelPath,
    initramfsPath,
    kernelArguments,
  }
  const edits = joinEdits(
    build.edits,
    // The one that this engine makes disks for.
    bootEdits({
      rootUuid: build.uuid,
      architecture: 'amd64',
      ...request,
      serialConsole: build.serialConsole,
    }),
  )
  let phase = ''
  // The helper counts bytes; how many there will be is known here.
  const inner: JobContext = {
    ...context,
    phase(name) {
      phase = name
      context.phase(name)
    },
    progress(done, total) {
      context.progress(done, phase === 'copy' ? build.tarBytesTotal : total)
    },
  }
  const result = await runHelperJob(inner, request, async (send) => {
    let position = 0
    try {
      for await (const bytes of filterTar(build.tar, edits)) {
        await send(position, bytes)
        position += bytes.length
      }
    } catch (error) {
      if (error instanceof TarFilterError) return { ok: false, failure: error.failure }
      throw error
    }
    return ok(null)
  })
  if (!result.ok && result.failure.code === 'size-too-small' && build.tarBytesTotal !== null) {
    // The helper knows only what it had received when the disk was full.
    const neededBytes = Math.max(neededDiskBytes(build.tarBytesTotal), result.failure.facts.neededBytes)
    return fail('size-too-small', { sizeBytes, neededBytes })
  }
  return result
}
