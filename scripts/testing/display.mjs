import { spawn } from 'node:child_process'
import { findProgram } from '../setup/run.mjs'

/**
 * Starts an X server without a screen on a display number that is free.
 * @returns {Promise<{ display: string, stop: () => Promise<void> }>} display: for DISPLAY
 * @throws {Error} when it does not start
 */
export async function startDisplay() {
  // The server itself chooses the number and writes it to the descriptor (Xserver(1), -displayfd).
  const args = ['-displayfd', '3', '-screen', '0', '1280x800x24', '-nolisten', 'tcp']
  const server = spawn(findProgram('Xvfb') ?? 'Xvfb', args, { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] })
  const ended = new Promise((resolve) => {
    server.on('error', resolve)
    server.on('exit', resolve)
  })
  const number = new Promise((resolve) => {
    let text = ''
    server.stdio[3].setEncoding('utf8').on('data', (part) => {
      text += part
      if (text.endsWith('\n')) {
        resolve(text.trim())
      }
    })
  })
  const started = await Promise.race([number, ended.then(() => null)])
  if (started === null) {
    throw new Error('Xvfb did not start')
  }
  return {
    display: `:${started}`,
    stop: async () => {
      server.kill('SIGTERM')
      await ended
    },
  }
}
