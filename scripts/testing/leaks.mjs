import { lstatSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { docker, mountPoints } from '../setup/engine.mjs'
import { root } from '../setup/paths.mjs'
import { run, runAsRoot } from '../setup/run.mjs'

/** In the environment of everything a run starts; pkexec takes it away, hence the second mark. */
export const RUN_MARK = 'SLIPWAY_TEST_RUN'
const PROGRAMS = join(root, 'out')
const SHARED_DIRECTORIES = ['/tmp', '/var/tmp', '/run', '/dev/shm', '/home', '/etc/polkit-1/rules.d']
/** Processes that were just told to end, and the kernel's loop devices, need a moment. */
const PATIENCE = 5000

/**
 * What is on the machine now and could be taken for something that a test left behind.
 * @returns {Promise<Set<string>>} to be given to `leaksSince`
 */
export async function snapshot(workspace) {
  return new Set((await suspects(workspace)).map((suspect) => suspect.what))
}

/**
 * Looks for what the run left on the machine, and ends and detaches what is certainly the run's, so that the
 * next one starts clean. What only has our name is told and left: it may be another run's.
 * @param {Set<string>} before
 * @param {string} workspace the run's own directory
 * @returns {Promise<string[]>} each leak in words
 */
export async function leaksSince(before, workspace) {
  const deadline = Date.now() + PATIENCE
  let leaks = []
  do {
    await sleep(leaks.length === 0 ? 0 : 250)
    leaks = (await suspects(workspace)).filter((suspect) => !before.has(suspect.what))
  } while (leaks.length > 0 && Date.now() < deadline)
  for (const leak of leaks) {
    await leak.remove?.()
  }
  return leaks.map((leak) => leak.what)
}

/** @returns {Promise<string[]>} containers that Slipway made on an engine and did not remove, in words */
export async function leakedContainers(host) {
  const listing = await docker(host, [
    'ps',
    '--all',
    '--filter',
    'label=slipway.job',
    '--format',
    '{{.Names}}',
  ])
  if (listing.code !== 0) throw new Error(`the engine could not be asked: ${listing.stderr}`)
  return lines(listing.stdout).map((name) => `container ${name}`)
}

async function suspects(workspace) {
  // In the order in which they can be removed.
  return [
    ...processes(workspace),
    ...(await mounts(workspace)),
    ...(await loopDevices(workspace)),
    ...temporaryFiles(workspace),
  ]
}

const lines = (text) => text.split('\n').filter((line) => line !== '')

function processes(workspace) {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      const environment = readProcess(pid, 'environ')
      const command = readProcess(pid, 'cmdline')
      const isMarked = environment.includes(`${RUN_MARK}=${workspace}`)
      if (!isMarked && !command.includes(`${PROGRAMS}/`)) {
        return []
      }
      const what = `process ${pid}: ${command.replaceAll('\0', ' ').slice(0, 160)}`
      return [isMarked ? { what, remove: () => runAsRoot('kill', ['-KILL', pid]) } : { what }]
    })
}

function readProcess(pid, file) {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return '' // It has ended, or belongs to somebody else.
  }
}

/** Tests that change user cannot use the workspace, which is root's, and have directories beside it. */
const BESIDE = /^\/(var\/tmp|tmp|run)\/\.?slipway/

async function mounts(workspace) {
  return (await mountPoints()).flatMap((path) => {
    const what = `mount ${path}`
    if (path.startsWith(`${workspace}/`)) {
      return [{ what, remove: () => runAsRoot('umount', [path]) }]
    }
    return BESIDE.test(path) ? [{ what }] : []
  })
}

async function loopDevices(workspace) {
  const listing = await run('losetup', ['--list', '--noheadings', '--raw', '--output', 'NAME,BACK-FILE'])
  if (listing.code !== 0) throw new Error(`losetup could not be asked: ${listing.stderr}`)
  return lines(listing.stdout).flatMap((line) => {
    const [device, file = ''] = line.split(' ')
    const what = `loop device ${device} of ${file}`
    if (file.startsWith(`${workspace}/`)) {
      return [{ what, remove: () => runAsRoot('losetup', ['--detach', device]) }]
    }
    // The helper attaches in a mount namespace of its own, where the file has another path.
    return [{ what }]
  })
}

function temporaryFiles(workspace) {
  const own = entries(join(workspace, 'tmp'))
  const sockets = own.filter((path) => lstatSync(path, { throwIfNoEntry: false })?.isSocket())
  const named = [...SHARED_DIRECTORIES.flatMap(entries), ...own].filter((path) =>
    /\/(\.|\d+-)?slipway[^/]*$/i.test(path),
  )
  return [...new Set([...sockets, ...named])]
    .filter((path) => path !== workspace)
    .map((path) => ({ what: `file ${path}` }))
}

function entries(directory) {
  try {
    return readdirSync(directory).map((name) => join(directory, name))
  } catch {
    return []
  }
}
