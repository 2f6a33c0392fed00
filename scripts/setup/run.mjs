import { spawn } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { defer, forget } from './clean-up.mjs'

/** Debian keeps mkfs.ext4, losetup and dockerd in directories that are not in an ordinary user's PATH. */
const SYSTEM_DIRECTORIES = ['/usr/local/sbin', '/usr/sbin', '/sbin']

/**
 * Finds a program in PATH and in the system directories.
 * @param {string} name
 * @returns {string | null} its path
 */
export function findProgram(name) {
  for (const directory of [...(process.env.PATH ?? '').split(delimiter), ...SYSTEM_DIRECTORIES]) {
    const path = join(directory, name)
    try {
      accessSync(path, constants.X_OK)
      return path
    } catch {
      // Not here: look in the next directory.
    }
  }
  return null
}

/**
 * Runs a program to its end, without a shell.
 * @param {string} command
 * @param {string[]} args
 * @param {{
 *   show?: boolean, cwd?: string, env?: NodeJS.ProcessEnv, timeout?: number, keepStdin?: boolean,
 *   onLine?: (line: string) => void
 * }} [options] show: output goes to our own; timeout: milliseconds, after which it is terminated;
 *   keepStdin: it may ask the person (sudo); onLine: called with each line of output while it runs.
 * @returns {Promise<{code: number, stdout: string, stderr: string}>} code 127 when it could not be
 *   started, 124 when the time was over; never rejects
 */
export function run(command, args, options = {}) {
  return new Promise((resolve) => {
    const output = options.show ? 'inherit' : 'pipe'
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      stdio: [options.keepStdin ? 'inherit' : 'ignore', output, output],
    })
    let stdout = ''
    let stderr = ''
    let timedOut = false
    const timer =
      options.timeout === undefined
        ? undefined
        : setTimeout(() => {
            timedOut = true
            child.kill('SIGTERM')
          }, options.timeout)
    const eachLine = lineSplitter(options.onLine)
    child.stdout?.setEncoding('utf8').on('data', (text) => {
      stdout += text
      eachLine(text)
    })
    child.stderr?.setEncoding('utf8').on('data', (text) => {
      stderr += text
      eachLine(text)
    })
    const closed = new Promise((done) => child.on('close', done))
    // What runs through sudo cannot be told by us; it gets the terminal's Ctrl-C itself.
    const endEarly = () => (child.kill('SIGTERM') ? closed : undefined)
    defer(endEarly)
    const finish = (code) => {
      clearTimeout(timer)
      forget(endEarly)
      resolve({ code: timedOut ? 124 : code, stdout, stderr })
    }
    child.on('error', (error) => {
      stderr += error.message
      finish(127)
    })
    child.on('close', (code) => finish(code ?? 128))
  })
}

function lineSplitter(onLine) {
  let rest = ''
  return (text) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    lines.forEach((line) => onLine?.(line))
  }
}

/** @returns {boolean} whether this process has the rights of root */
export function isRoot() {
  return process.getuid?.() === 0
}

/** @returns {boolean} whether something can be run with the rights of root, if need be by asking for a password */
export function canBeRoot() {
  return isRoot() || findProgram('sudo') !== null
}

/** What a program that is run as root gets of our environment: nothing that could be a secret, for it shows in ps. */
const PASSED_ON =
  /^(PATH|TMPDIR|XDG_.*|LANG|LC_.*|DISPLAY|DOCKER_HOST|SLIPWAY_.*|ELECTRON_.*|CI|DEBIAN_FRONTEND)$/

/**
 * Runs a program with the rights of root: directly, or through sudo, which may ask for the password.
 * @param {string} command
 * @param {string[]} args
 * @param {Parameters<typeof run>[2]} [options]
 * @returns {ReturnType<typeof run>}
 */
export function runAsRoot(command, args, options = {}) {
  if (isRoot()) {
    return run(command, args, options)
  }
  const variables = Object.entries(options.env ?? {})
    .filter(([name]) => PASSED_ON.test(name))
    .map(([name, value]) => `${name}=${value}`)
  const sudoArgs = ['--', 'env', ...variables, command, ...args]
  return run('sudo', sudoArgs, { ...options, env: process.env, keepStdin: process.stdin.isTTY })
}
