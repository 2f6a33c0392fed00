import { execa, ExecaError } from 'execa'
import { createReadStream, createWriteStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import type { DiskFormat } from '../../shared/disk'
import { fail, ok, type Result } from '../../shared/failure'
import type { JobContext } from '../../shared/job'
import { findProgram } from '../preview/find'

/** What makes each kind of file, and Debian's package of it. Gzip is done by Node itself. */
const packers: Record<Exclude<DiskFormat, 'raw' | 'gz'>, { tool: string; package: string }> = {
  qcow2: { tool: 'qemu-img', package: 'qemu-utils' },
  vmdk: { tool: 'qemu-img', package: 'qemu-utils' },
  vdi: { tool: 'qemu-img', package: 'qemu-utils' },
  vhdx: { tool: 'qemu-img', package: 'qemu-utils' },
  xz: { tool: 'xz', package: 'xz-utils' },
  zst: { tool: 'zstd', package: 'zstd' },
}

/** Makes a file of some format from a raw disk. */
export interface Packer {
  /**
   * @param context of the job; its progress is told
   * @param rawPath absolute path of the raw disk
   * @param packedPath absolute path of a regular, empty file of the user's own
   * @returns `no-space`, `output-too-large`, `tool-failed`; throws the signal's reason when cancelled. The packed file is to be thrown away then.
   */
  pack(context: JobContext, rawPath: string, packedPath: string): Promise<Result<null>>
}

/**
 * Looks whether files of a format can be made here, before anything else is done.
 * @returns null for a raw disk, which is one already; `tool-missing`
 */
export async function preparePacker(format: DiskFormat): Promise<Result<Packer | null>> {
  if (format === 'raw') return ok(null)
  if (format === 'gz') return ok({ pack: guarded('gzip', packWithGzip) })
  const { tool, package: name } = packers[format]
  const program = await findProgram(tool)
  if (program === null) return fail('tool-missing', { tool, package: name })
  if (format === 'xz' || format === 'zst') {
    // As many threads as there are processors; what comes out does not depend on their number (zstd(1), xz(1)).
    const words = ['-q', '-c', '-T0']
    return ok({
      pack: guarded(tool, (context, raw, packed) => packWithFilter(program, words, context, raw, packed)),
    })
  }
  return ok({
    pack: guarded(tool, (context, raw, packed) => packWithQemu(program, format, context, raw, packed)),
  })
}

/** Turns what a packer throws into a failure, where it is one that can be expected. */
function guarded(
  tool: string,
  run: (context: JobContext, rawPath: string, packedPath: string) => Promise<void>,
): Packer['pack'] {
  return async (context, rawPath, packedPath) => {
    try {
      await run(context, rawPath, packedPath)
      return ok(null)
    } catch (error) {
      context.signal.throwIfAborted()
      const trouble = troubleOf(error)
      if (trouble === 'too-large') return fail('output-too-large', { path: packedPath })
      if (trouble === 'full') {
        const { blocks } = await stat(rawPath)
        return fail('no-space', { path: packedPath, neededBytes: blocks * 512, freeBytes: 0 })
      }
      if (!(error instanceof ExecaError)) throw error
      const output = String(error.stderr).trim().slice(-2000)
      return fail('tool-failed', { tool, exitCode: error.exitCode ?? null, output })
    }
  }
}

/** Why a file could not be written further: the file system's word, or that of a program (errno(3)); null for all else. */
function troubleOf(error: unknown): 'full' | 'too-large' | null {
  const { code } = error as NodeJS.ErrnoException
  const output = error instanceof ExecaError ? String(error.stderr) : ''
  if (code === 'ENOSPC' || code === 'EDQUOT' || /no space left|quota exceeded/i.test(output)) return 'full'
  return code === 'EFBIG' || /file too large/i.test(output) ? 'too-large' : null
}

/** Counts what passes, for the progress. */
async function reader(
  context: JobContext,
  path: string,
): Promise<[ReturnType<typeof createReadStream>, Transform]> {
  const { size } = await stat(path)
  let done = 0
  const counter = new Transform({
    transform(chunk: Buffer, _encoding, next) {
      done += chunk.length
      context.progress(done, size)
      next(null, chunk)
    },
  })
  return [createReadStream(path, { highWaterMark: 1024 * 1024 }), counter]
}

async function packWithGzip(context: JobContext, rawPath: string, packedPath: string): Promise<void> {
  const [raw, counter] = await reader(context, rawPath)
  // No name and no time are in it (RFC 1952): zlib writes zeroes there.
  const { signal } = context
  await pipeline(raw, counter, createGzip(), createWriteStream(packedPath, { flags: 'r+' }), { signal })
}

async function packWithFilter(
  program: string,
  words: string[],
  context: JobContext,
  rawPath: string,
  packedPath: string,
): Promise<void> {
  const { signal } = context
  const [raw, counter] = await reader(context, rawPath)
  const child = execa(program, words, {
    stdin: 'pipe',
    stdout: 'pipe',
    buffer: { stdout: false, stderr: true },
    encoding: 'buffer',
    cancelSignal: signal,
    env: { LC_ALL: 'C' },
  })
  // The program's own end says more than that its pipe broke.
  await Promise.all([
    child,
    pipeline(raw, counter, child.stdin, { signal }).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'EPIPE') throw error
    }),
    pipeline(child.stdout, createWriteStream(packedPath, { flags: 'r+' }), { signal }),
  ])
}

async function packWithQemu(
  program: string,
  format: DiskFormat,
  context: JobContext,
  rawPath: string,
  packedPath: string,
): Promise<void> {
  const { size } = await stat(rawPath)
  const child = execa(program, ['convert', '-p', '-f', 'raw', '-O', format, rawPath, packedPath], {
    cancelSignal: context.signal,
    env: { LC_ALL: 'C' },
  })
  // "    (12.34/100%)\r", again and again (qemu-img, "-p").
  child.stdout.on('data', (text: Buffer) => {
    const percent = /\(([\d.]+)\/100%\)\s*$/.exec(text.toString('latin1'))?.[1]
    if (percent !== undefined) context.progress((Number(percent) / 100) * size, size)
  })
  await child
}
