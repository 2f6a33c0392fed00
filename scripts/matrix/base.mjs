import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { docker } from '../setup/engine.mjs'
import { cache } from '../setup/paths.mjs'
import { run, runAsRoot } from '../setup/run.mjs'
import { official } from './official.mjs'

/** Debian's own names of what images call by number. */
const releases = { bullseye: '11', bookworm: '12', trixie: '13', sid: 'sid', noble: '24.04' }

/** Ubuntu's keys, from Debian: neither Debian nor mmdebstrap brings them by itself. */
const UBUNTU_KEYS = {
  installed: '/usr/share/keyrings/ubuntu-archive-keyring.gpg',
  package: 'http://deb.debian.org/debian/pool/main/u/ubuntu-keyring/ubuntu-keyring_2023.11.28.1-0.2_all.deb',
  sha256: 'b2e7ed48431bf9e7978ae810bbdaf253093570d6e3f864e575b7c13554b81174',
}

const EXPIRED = '--aptopt=Acquire::Check-Valid-Until "false"'

/**
 * Makes the image of an entry from the archive of its distribution, without a registry, upon what the official image would be.
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
    const { files, line } = official(entry)
    const copied = Object.entries(files).map(([file, text]) => [join('official', file), text])
    for (const [file, text] of [...copied, ...Object.entries(entry.files ?? {})]) {
      await mkdir(dirname(join(directory, file)), { recursive: true })
      await writeFile(join(directory, file), text)
    }
    const lines = [...[`FROM ${base}`, 'COPY official/ /', line], ...(entry.dockerfile ?? ['CMD ["bash"]'])]
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
async function baseTar({ suite, include = [], ubuntu = false }) {
  const kind = include.length === 0 ? releases[suite] : `${releases[suite]}-${include.join('-')}`
  const tar = join(cache, `${ubuntu ? 'ubuntu' : 'debian'}-${kind}-${process.arch}.tar`)
  if (existsSync(tar)) return tar
  await mkdir(cache, { recursive: true })
  const unfinished = `${tar}.${process.pid}.tar`
  const directory = await mkdtemp(join(tmpdir(), 'slipway-matrix-'))
  try {
    // Ubuntu does not call its apt required, though all its images have it.
    const included = ubuntu ? ['apt', ...include] : include
    const packages = included.length === 0 ? [] : [`--include=${included.join(',')}`]
    const keys = ubuntu ? [`--keyring=${await ubuntuKeys(directory)}`] : []
    const archive = ubuntu ? ['http://archive.ubuntu.com/ubuntu'] : []
    const words = ['--variant=minbase', EXPIRED, ...packages, ...keys, suite, unfinished, ...archive]
    await must(runAsRoot('mmdebstrap', words))
    await rename(unfinished, tar)
  } finally {
    await rm(unfinished, { force: true })
    await rm(directory, { recursive: true })
  }
  return tar
}

/**
 * @param {string} directory to unpack them into
 * @returns {Promise<string>} a file with the keys of Ubuntu's archive
 */
async function ubuntuKeys(directory) {
  const { installed } = UBUNTU_KEYS
  if (existsSync(installed)) return installed
  const answer = await fetch(UBUNTU_KEYS.package)
  const bytes = Buffer.from(await answer.arrayBuffer())
  const sum = createHash('sha256').update(bytes).digest('hex')
  if (sum !== UBUNTU_KEYS.sha256) throw new Error(`${UBUNTU_KEYS.package} is not what it was: ${sum}`)
  const file = join(directory, 'keys.deb')
  await writeFile(file, bytes)
  await must(run('dpkg-deb', ['--extract', file, directory]))
  // It is read by apt's own user.
  await chmod(directory, 0o755)
  return join(directory, installed)
}

async function must(running) {
  const { code, stdout, stderr } = await running
  if (code !== 0) throw new Error(`${stdout}\n${stderr}`.trim().split('\n').slice(-15).join('\n'))
}
