import { once } from 'node:events'
import { lstat, readFile, statfs, unlink } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { fail, ok, type Result } from '../../shared/failure'
import type { KernelBuildRequest } from '../../shared/helper-protocol'
import { neededDiskBytes } from '../../shared/image'
import { findKernelTools, type KernelTools } from '../convert/kernel/tools'
import { encodeMbr, LINUX_TYPE } from '../disk/mbr'
import { openDiskFile } from './disk-file'
import type { HelperJob } from './job'
import { runProgram, startProgram } from './run'
import {
  DISK_FILE,
  MACHINE_DIRECTORY,
  MACHINE_MOUNT,
  openSandbox,
  SANDBOX_DISK,
  SANDBOX_ROOT,
  sandboxed,
  sealSandbox,
} from './sandbox'

const SECTOR_BYTES = 512
const BLOCK_BYTES = 4096
const START_SECTOR = 2048
const START_BYTES = START_SECTOR * SECTOR_BYTES
/** The MBR counts sectors in 32 bits (UEFI 2.10, table 5.2). */
const MAXIMUM_SECTORS = 0xffffffff
/** Bytes; below this a file system counts as full. */
const FULL_BYTES = 1024 * 1024

/**
 * What extlinux 6.03 and later reads, and old ones do not stumble over: no
 * 64bit, metadata_csum_seed or orphan_file. The same set as the direct engine's.
 * Named in full, because mke2fs.conf of the host would choose otherwise.
 */
const FILE_SYSTEM_FEATURES = [
  'none',
  'has_journal',
  'ext_attr',
  'dir_index',
  'filetype',
  'extent',
  'flex_bg',
  'sparse_super',
  'large_file',
  'huge_file',
  'dir_nlink',
  'extra_isize',
  'metadata_csum',
]

/** Names in /boot that extlinux makes or would be misled by; an image that was a disk before may have them. */
const BOOT_LOADER_FILES = ['ldlinux.sys', 'ldlinux.c32', 'extlinux.sys', 'extlinux.conf']

/**
 * Builds a disk in the file that the request names, from the tar stream that
 * follows: MBR, ext4 on one active partition, the tree, extlinux. Runs as root
 * in a mount namespace of its own.
 * @param request what is to be built
 * @param job the helper's one job
 * @param owner uid of the user who asked; the file must be his
 * @returns nothing, or why the disk is not usable; the file is then to be thrown away
 */
export async function runBuild(
  request: KernelBuildRequest,
  job: HelperJob,
  owner: number,
): Promise<Result<null>> {
  const tools = findKernelTools()
  if (!tools.ok) return tools
  const fileSystemBlocks = Math.floor((request.sizeBytes - START_BYTES) / BLOCK_BYTES)
  const smallest = neededDiskBytes(0)
  if (request.sizeBytes < smallest) {
    return fail('size-too-small', { sizeBytes: request.sizeBytes, neededBytes: smallest })
  }
  if (request.sizeBytes / SECTOR_BYTES > MAXIMUM_SECTORS) {
    return fail('size-invalid', { text: String(request.sizeBytes) })
  }
  const opened = await openDiskFile(request.path, owner)
  if (!opened.ok) return opened
  const file = opened.value
  job.defer(() => file.close())
  job.accept()

  job.progress('format', 0, null)
  await file.truncate(request.sizeBytes)
  const sandbox = await openSandbox(tools.value, file.fd, job.signal)
  if (!sandbox.ok) return sandbox
  const build = { request, job, tools: tools.value, file, fileSystemBlocks }
  for (const step of [format, copy, installBootLoader, check]) {
    const result = await step(build)
    if (!result.ok) return result
  }
  return ok(null)
}

interface Build {
  request: KernelBuildRequest
  job: HelperJob
  tools: KernelTools
  file: FileHandle
  fileSystemBlocks: number
}

/** Makes the file system within the file and mounts it. */
async function format({ request, job, tools, fileSystemBlocks }: Build): Promise<Result<null>> {
  const { signal } = job
  const made = await runProgram(
    tools.setpriv,
    [
      tools.mke2fs,
      ...['-q', '-F', '-b', String(BLOCK_BYTES), '-I', '256', '-i', '16384', '-m', '1', '-J', 'size=64'],
      ...['-O', FILE_SYSTEM_FEATURES.join(','), '-e', 'remount-ro'],
      ...['-U', request.fileSystemUuid, '-L', request.label],
      // Unused inode tables are left to the machine's first boot: the disk may be written to a stick that is not zero.
      ...['-E', `offset=${START_BYTES},lazy_itable_init=1,hash_seed=${request.fileSystemUuid}`],
      DISK_FILE,
      String(fileSystemBlocks),
    ],
    { signal },
  )
  if (!made.ok) return made

  const options = [
    // mount(8) sets the loop device up so that the kernel clears it at the last unmount, however the helper ends.
    `loop,offset=${START_BYTES},sizelimit=${fileSystemBlocks * BLOCK_BYTES}`,
    // The image's devices and programs are made, never used.
    'nodev,nosuid,noexec,noatime,noinit_itable',
  ]
  const mounted = await runProgram(
    tools.setpriv,
    [tools.mount, '-n', '-t', 'ext4', '-o', options.join(','), DISK_FILE, MACHINE_MOUNT],
    { signal },
  )
  if (!mounted.ok) return mounted
  job.defer(async () => {
    const state = await lstat(MACHINE_MOUNT)
    const outside = await lstat(SANDBOX_ROOT)
    if (state.dev === outside.dev) return
    const unmounted = await unmount(tools)
    if (!unmounted.ok) throw new Error(JSON.stringify(unmounted.failure.facts))
  })

  // extlinux opens the device that /machine is on.
  return sealSandbox(tools, (await lstat(MACHINE_MOUNT)).dev, signal)
}

/** Extracts the tree from the data frames, as it comes. */
async function copy({ request, job, tools }: Build): Promise<Result<null>> {
  const command = [
    tools.tar,
    ...['--extract', '--file=-', `--directory=${MACHINE_DIRECTORY}`],
    ...['--numeric-owner', '--same-owner', '--preserve-permissions', '--delay-directory-restore'],
    ...['--xattrs', '--xattrs-include=*', '--acls', '--warning=no-timestamp'],
  ]
  const capabilities = ['chown', 'dac_override', 'fowner', 'fsetid', 'mknod', 'setfcap'] as const
  const program = startProgram(tools.setpriv, sandboxed(tools, capabilities, command), {
    signal: job.signal,
    input: true,
  })
  const ended = new AbortController()
  void program.finished.then(() => ended.abort())
  const { stdin } = program
  if (stdin === null) throw new Error('tar was asked for with an open input')
  let received = 0
  try {
    for await (const { position, bytes } of job.data) {
      if (position !== received) return fail('helper-protocol', { detail: 'a gap in the stream' })
      received += bytes.length
      job.progress('copy', received, null)
      if (ended.signal.aborted) break
      // Of a program that has ended, its exit code says why; EPIPE would not.
      if (!stdin.write(bytes)) await Promise.race([once(stdin, 'drain').catch(() => null), program.finished])
    }
  } finally {
    stdin.end()
    await program.finished
  }
  const { exitCode, output } = await program.finished
  job.signal.throwIfAborted()
  if (output !== '') job.log(output.trimEnd())
  const synced = exitCode === 0 ? await runProgram(tools.setpriv, [tools.sync, '-f', MACHINE_MOUNT]) : null
  job.signal.throwIfAborted()
  if (synced?.ok === true) return ok(null)
  return (
    (await fullness(request, received)) ?? synced ?? fail('tool-failed', { tool: 'tar', exitCode, output })
  )
}

/** After something could not be written: whether the machine's file system or the one below is full. */
async function fullness(
  request: KernelBuildRequest,
  received: number,
): Promise<ReturnType<typeof fail> | null> {
  const below = await statfs(DISK_FILE)
  const freeBytes = below.bavail * below.bsize
  if (freeBytes < FULL_BYTES) {
    return fail('no-space', { path: request.path, neededBytes: neededDiskBytes(received), freeBytes })
  }
  const machine = await statfs(MACHINE_MOUNT)
  if (machine.bavail * machine.bsize < FULL_BYTES || machine.ffree === 0) {
    return fail('size-too-small', { sizeBytes: request.sizeBytes, neededBytes: neededDiskBytes(received) })
  }
  return null
}

/** extlinux into /boot and the partition's first sectors, and the MBR. Unmounts. */
async function installBootLoader({
  request,
  job,
  tools,
  file,
  fileSystemBlocks,
}: Build): Promise<Result<null>> {
  job.progress('bootloader', 0, null)
  const boot = join(MACHINE_MOUNT, 'boot')
  const state = await lstat(boot).catch(() => null)
  if (state?.isDirectory() !== true)
    return fail('not-supported', { what: 'an image whose /boot is no directory' })
  for (const name of BOOT_LOADER_FILES) {
    // unlink(2) follows no link, and `boot` is a directory that nobody else changes now.
    await unlink(join(boot, name)).catch(() => undefined)
  }
  const command = [tools.extlinux, '--device', SANDBOX_DISK, '--install', join(MACHINE_DIRECTORY, 'boot')]
  const capabilities = ['dac_override', 'fowner', 'linux_immutable'] as const
  const installed = await runProgram(tools.setpriv, sandboxed(tools, capabilities, command), {
    signal: job.signal,
  })
  if (!installed.ok) return installed
  const unmounted = await unmount(tools)
  if (!unmounted.ok) return unmounted

  const bootCode = (await readFile(tools.mbr)).subarray(0, 440)
  const count = (fileSystemBlocks * BLOCK_BYTES) / SECTOR_BYTES
  const mbr = encodeMbr(bootCode, request.diskSignature, [
    { type: LINUX_TYPE, active: true, start: START_SECTOR, count },
  ])
  await file.write(mbr, 0, mbr.length, 0)
  // Also tells of an error in writing what the loop device had left to the system.
  await file.sync()
  return ok(null)
}

/** The file system must be without fault. Nothing is repaired: a fault would be ours. */
async function check({ job, tools }: Build): Promise<Result<null>> {
  job.progress('check', 0, null)
  const checked = await runProgram(
    tools.setpriv,
    [tools.e2fsck, '-fn', `${DISK_FILE}?offset=${START_BYTES}`],
    {
      signal: job.signal,
    },
  )
  if (checked.ok) return ok(null)
  const { failure } = checked
  return fail('disk-check-failed', { output: failure.code === 'tool-failed' ? failure.facts.output : '' })
}

function unmount(tools: KernelTools): Promise<Result<string>> {
  return runProgram(tools.setpriv, [tools.umount, '-n', MACHINE_MOUNT])
}
