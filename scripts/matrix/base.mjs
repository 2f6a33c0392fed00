import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { docker } from '../setup/engine.mjs'
import { cache } from '../setup/paths.mjs'
import { runAsRoot } from '../setup/run.mjs'

/** Debian's own names of what images call by number. */
const releases = { bullseye: '11', bookworm: '12', trixie: '13', sid: 'sid' }

const EXPIRED = '--aptopt=Acquire::Check-Valid-Until "false"'

/**
 * Makes the image of an entry from the Debian archive, without a registry.
 * @param {string} host of the engine
 * @param {import('./entries.mjs').Entry} entry
 * @returns {Promise<string>} its name
 * @throws {Error} when it cannot be made
 */
export async function makeImage(host, entry) {
  const tar = await baseTar(entry)
  const base = `slipway-matrix/${entry.name}:base`
  await must(docker(host, ['import', tar, base]))
  const name = `slipway-matrix/${entry.name}:1`
  const directory = await mkdtemp(join(tmpdir(), 'slipway-matrix-'))
  try {
    for (const [file, text] of Object.entries(entry.files ?? {})) await writeFile(join(directory, file), text)
    const lines = [`FROM ${base}`, ...(entry.dockerfile ?? ['CMD ["bash"]'])]
    await writeFile(join(directory, 'Dockerfile'), lines.join('\n'))
    await must(docker(host, ['build', '--network', 'host', '--tag', name, directory]))
  } finally {
    await rm(directory, { recursive: true })
  }
  return name
}

/** Takes an entry's images away again, and what was prepared of them. */
export async function removeImages(host, entry) {
  const { stdout } = await docker(host, [
    'image',
    'inspect',
    '--format',
    '{{.Id}}',
    `slipway-matrix/${entry.name}:1`,
  ])
  const prepared = `slipway/prepared:${stdout.trim().replace('sha256:', '').slice(0, 12)}`
  await docker(host, [
    'image',
    'rm',
    prepared,
    `slipway-matrix/${entry.name}:1`,
    `slipway-matrix/${entry.name}:base`,
  ])
}

/**
 * The base file system, made once and kept. A mirror that is a copy of some day still has what it says, though its
 * lists of sid have expired (apt.conf(5), Acquire::Check-Valid-Until); mmdebstrap keeps the option in the tree.
 */
async function baseTar({ suite, include = [] }) {
  const kind = include.length === 0 ? releases[suite] : `${releases[suite]}-${include.join('-')}`
  const tar = join(cache, `debian-${kind}-${process.arch}.tar`)
  if (existsSync(tar)) return tar
  await mkdir(cache, { recursive: true })
  const unfinished = `${tar}.${process.pid}.tar`
  try {
    const packages = include.length === 0 ? [] : [`--include=${include.join(',')}`]
    await must(runAsRoot('mmdebstrap', ['--variant=minbase', EXPIRED, ...packages, suite, unfinished]))
    await rename(unfinished, tar)
  } finally {
    await rm(unfinished, { force: true })
  }
  return tar
}

async function must(running) {
  const { code, stdout, stderr } = await running
  if (code !== 0) throw new Error(`${stdout}\n${stderr}`.trim().split('\n').slice(-15).join('\n'))
}
