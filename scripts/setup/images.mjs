import { existsSync } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { docker } from './engine.mjs'
import { cache, root } from './paths.mjs'
import { runAsRoot } from './run.mjs'
import { say } from './talk.mjs'

const BASE = 'debian:12'
/** Without a registry the pull fails within a second; this bounds a network that swallows packets. */
const PULL_TIMEOUT = 90_000

/**
 * Has the HOWTO's base image in an engine: there already, pulled, or made with mmdebstrap from the Debian archive.
 * @param {string} host
 * @returns {Promise<'present' | 'pulled' | 'made'>} how it came to be there
 * @throws {Error} when it can be had in no way
 */
export async function ensureBase(host) {
  if ((await docker(host, ['image', 'inspect', BASE])).code === 0) {
    return 'present'
  }
  if ((await docker(host, ['pull', '--quiet', BASE], { timeout: PULL_TIMEOUT })).code === 0) {
    return 'pulled'
  }
  const tar = await baseTar()
  const imported = await docker(host, ['import', tar, BASE])
  if (imported.code !== 0) {
    throw new Error(`The base image could not be imported:\n${imported.stderr}`)
  }
  return 'made'
}

/** Makes the base file system once and keeps it; the machine that is built on it updates itself anyway. */
async function baseTar() {
  const tar = join(cache, `debian-12-${process.arch}.tar`)
  if (!existsSync(tar)) {
    say('No image registry can be reached; making the Debian base with mmdebstrap.')
    await mkdir(cache, { recursive: true })
    const unfinished = `${tar}.${process.pid}.tar`
    try {
      const made = await runAsRoot('mmdebstrap', ['--variant=minbase', 'bookworm', unfinished])
      if (made.code !== 0) {
        throw new Error(`mmdebstrap failed:\n${made.stderr}`)
      }
      await rename(unfinished, tar)
    } finally {
      await rm(unfinished, { force: true })
    }
  }
  return tar
}

/**
 * Builds the HOWTO's machine, examples/howto, on a base that is there.
 * @param {string} host
 * @param {string} tag
 * @param {{ label?: string, onLine?: (line: string) => void }} [options]
 * @throws {Error} with the last lines of the build when it fails
 */
export async function buildHowto(host, tag, options = {}) {
  const label = options.label === undefined ? [] : ['--label', options.label]
  const directory = join(root, 'examples/howto')
  const built = await docker(host, ['build', '--network', 'host', ...label, '--tag', tag, directory], options)
  if (built.code !== 0) {
    const lastLines = `${built.stdout}\n${built.stderr}`.trim().split('\n').slice(-15)
    throw new Error(`The example's image could not be built:\n${lastLines.join('\n')}`)
  }
}
