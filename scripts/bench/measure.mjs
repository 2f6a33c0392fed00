import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'

/** Milliseconds between two looks at a process's memory. */
const LOOK_INTERVAL = 20

/**
 * Runs a program to its end and throws when it fails.
 * @param {string} command
 * @param {string[]} args
 * @param {{ output?: number, env?: NodeJS.ProcessEnv, input?: number }} [options] output, input: file descriptors
 * @returns {Promise<number>} the most memory it held, in bytes (proc(5), VmHWM)
 */
export async function spend(command, args, options = {}) {
  const child = spawn(command, args, {
    stdio: [options.input ?? 'ignore', options.output ?? 'ignore', 'pipe'],
    env: options.env ?? process.env,
  })
  let errors = ''
  child.stderr.on('data', (text) => (errors += text))
  let most = 0
  const timer = setInterval(async () => {
    const status = await readFile(`/proc/${child.pid}/status`, 'utf8').catch(() => '')
    most = Math.max(most, Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1] ?? 0) * 1024)
  }, LOOK_INTERVAL)
  const code = await new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', resolve)
  })
  clearInterval(timer)
  if (code !== 0) {
    throw new Error(`${command} ${args.join(' ')} ended with ${code}:\n${errors}`)
  }
  return most
}

/** The middle one, or the mean of the two in the middle. */
export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b)
  const middle = sorted.length / 2
  return (sorted[Math.floor(middle)] + sorted[Math.ceil(middle) - 1]) / 2
}

/**
 * Runs the ways in turn, again and again, so that whatever else the machine does meets all of them alike.
 * @param {Record<string, () => Promise<unknown>>} ways each does its work anew
 * @param {number} rounds
 * @param {() => Promise<unknown>} prepare called before each, which is not measured
 * @param {(name: string, seconds: number) => void} onRun
 * @returns {Promise<Record<string, number[]>>} seconds of each run
 */
export async function inTurn(ways, rounds, prepare, onRun) {
  const times = Object.fromEntries(Object.keys(ways).map((name) => [name, []]))
  for (let round = 0; round < rounds; round += 1) {
    for (const [name, way] of Object.entries(ways)) {
      await prepare()
      const before = process.hrtime.bigint()
      await way()
      const seconds = Number(process.hrtime.bigint() - before) / 1e9
      times[name].push(seconds)
      onRun(name, seconds)
    }
  }
  return times
}
