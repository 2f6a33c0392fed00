import { spawn } from 'node:child_process'

/**
 * Keeps the computer awake, where a program for that is there and allowed to: a stick that loses its computer in the
 * middle of a write is written anew. That it cannot is no failure.
 *
 * systemd-inhibit holds its lock as long as the program that it starts runs, and that one, cat, as long as its input is
 * open: it ends when this process does, however that ends. In a session of its own an interrupt from the terminal does
 * not reach it, and nothing can ask for a password there.
 * @param platform as Node names it; tests give another
 * @returns lets it sleep again
 */
export function keepAwake(platform: NodeJS.Platform = process.platform): () => void {
  const [program, ...words] = platform === 'darwin' ? caffeinate : systemdInhibit
  if (platform === 'win32' || program === undefined) return () => undefined
  const keeper = spawn(program, words, { detached: true, stdio: ['pipe', 'ignore', 'ignore'] })
  // ENOENT; EPIPE of one that has ended.
  keeper.on('error', () => undefined)
  keeper.stdin.on('error', () => undefined)
  return () => {
    keeper.stdin.end()
    // caffeinate reads no input. One that could not be started has no number, but in this very turn Node.js would signal
    // whichever stands in its place (libuv, uv_process_kill), which may be 0: all of our own group.
    if (platform === 'darwin' && keeper.pid !== undefined) keeper.kill()
  }
}

const systemdInhibit = [
  'systemd-inhibit',
  ...['--what=sleep:idle', '--who=Slipway', '--why=A drive is being written'],
  'cat',
]

/** `-i`: no sleep for idleness; `-w`: as long as this process is there (caffeinate(8)). */
const caffeinate = ['caffeinate', '-i', '-w', String(process.pid)]
