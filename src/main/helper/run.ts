import type { Writable } from 'node:stream'
import { execa } from 'execa'
import { fail, ok, type Result } from '../../shared/failure'

/** Nothing of the user's environment reaches a program that root runs. */
const ENVIRONMENT = { LC_ALL: 'C', PATH: '/usr/sbin:/usr/bin:/sbin:/bin' }
/** Characters of a program's last words that are kept; a hostile image can make a program talk without end. */
const OUTPUT_CHARACTERS = 4000

/** A program that runs; its end is `finished`, and its input is open when it was asked for. */
export interface RunningProgram {
  stdin: Writable | null
  /** Never rejects. Standard output and error, the end of them, come together. */
  finished: Promise<{ exitCode: number | null; output: string }>
}

/**
 * Starts a program without a shell and with a clean environment.
 * @param setpriv path of setpriv(1): by its parent-death signal the program dies with a helper that is killed
 * @param command the program's absolute path and its arguments
 * @param options `signal` kills it (SIGKILL: its mounts and files are thrown away with it); `input` opens its
 *   standard input
 */
export function startProgram(
  setpriv: string,
  command: readonly string[],
  options: { signal?: AbortSignal; input?: boolean } = {},
): RunningProgram {
  const child = execa(setpriv, ['--pdeathsig', 'KILL', '--', ...command], {
    env: ENVIRONMENT,
    extendEnv: false,
    cwd: '/',
    stdin: options.input === true ? 'pipe' : 'ignore',
    buffer: false,
    reject: false,
    killSignal: 'SIGKILL',
    cancelSignal: options.signal ?? new AbortController().signal,
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output = (output + chunk.toString('latin1')).slice(-OUTPUT_CHARACTERS)
    })
  }
  child.stdin?.on('error', () => {
    // EPIPE: the program ended before its input did; its exit code says why.
  })
  const finished = child.then((result) => ({ exitCode: result.exitCode ?? null, output }))
  return { stdin: child.stdin, finished }
}

/**
 * Runs a program to its end.
 * @returns what it printed, or `tool-failed`
 */
export async function runProgram(
  setpriv: string,
  command: readonly string[],
  options: { signal?: AbortSignal } = {},
): Promise<Result<string>> {
  const { exitCode, output } = await startProgram(setpriv, command, options).finished
  options.signal?.throwIfAborted()
  return exitCode === 0 ? ok(output) : fail('tool-failed', { tool: command[0] ?? '', exitCode, output })
}
