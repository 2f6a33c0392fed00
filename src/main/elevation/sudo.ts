import { existsSync } from 'node:fs'
import { exec } from 'sudo-prompt'
import { fail, ok, type Result } from '../../shared/failure'

/** What may be in an elevated command: sudo-prompt hands it to two shells and escapes double quotes alone. */
const SAFE_WORD = /^[A-Za-z0-9/_.=-]+$/
/** What would be evaluated in the working directory's name, which sudo-prompt puts between double quotes. */
const UNSAFE_IN_QUOTES = /[$`\\\n]/
/** What sudo-prompt looks for: the first, which KDE gave up in 2018, is preferred, and does not tell the helper who asks. */
const KDESUDO = '/usr/bin/kdesudo'
const PKEXEC = '/usr/bin/pkexec'
/** The system bus's well-known address (D-Bus specification, "Well-known Message Bus Instances"). */
const BUS_SOCKETS = ['/run/dbus/system_bus_socket', '/var/run/dbus/system_bus_socket']

/**
 * Checks that a command is safe to be elevated.
 * @param words program and arguments
 * @returns the first word that is not, as `elevation-unsafe-path`
 */
export function checkCommand(words: readonly string[]): Result<null> {
  const unsafe = words.find((word) => !SAFE_WORD.test(word))
  if (unsafe !== undefined) return fail('elevation-unsafe-path', { path: unsafe })
  const directory = process.cwd()
  return UNSAFE_IN_QUOTES.test(directory) ? fail('elevation-unsafe-path', { path: directory }) : ok(null)
}

/**
 * Runs a command as root by sudo-prompt, which asks the person for a password.
 * There is no time limit: a password may take a while.
 * @param words program and arguments, of safe characters only
 * @returns nothing when it ended well; `elevation-unsafe-path`, `elevation-refused`, `elevation-no-agent`,
 *   `elevation-missing`, `not-supported` when it did not start; `helper-lost` when it started and failed
 */
export async function elevate(words: readonly string[]): Promise<Result<null>> {
  const checked = checkCommand(words)
  if (!checked.ok) return checked
  if (process.platform === 'linux' && existsSync(KDESUDO)) {
    return fail('not-supported', {
      what: 'asking for the password through kdesudo; remove it, and pkexec asks',
    })
  }
  if (process.platform === 'linux' && !existsSync(PKEXEC)) return fail('elevation-missing', {})
  const ending = await new Promise<{ error: Error | undefined; errorOutput: string }>((resolve) => {
    exec(words.join(' '), { name: 'Slipway' }, (error, _output, errorOutput) => {
      resolve({ error, errorOutput: String(errorOutput ?? '') })
    })
  })
  if (ending.error === undefined || (ending.error as Error | null) === null) return ok(null)
  switch (ending.error.message) {
    case 'User did not grant permission.':
      // The same sentence comes when there is no system bus to ask through.
      return process.platform === 'linux' && !BUS_SOCKETS.some((path) => existsSync(path))
        ? fail('elevation-missing', {})
        : fail('elevation-refused', {})
    case 'No polkit authentication agent found.':
      return fail('elevation-no-agent', {})
    default:
      return fail('helper-lost', { detail: ending.errorOutput.trim() || ending.error.message })
  }
}
