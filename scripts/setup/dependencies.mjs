import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { findProgram, run } from './run.mjs'
import { installPackages } from './packages.mjs'
import { root } from './paths.mjs'
import { agreed, say } from './talk.mjs'

/** drivelist's JavaScript loads this file on every system, though on Linux it does nothing. */
const DRIVELIST_NATIVE = join(root, 'node_modules/drivelist/build/Release/drivelist.node')

const BUILD_NEEDS = [
  {
    what: "a compiler for drivelist's native part",
    present: () => ['python3', 'make', 'g++'].every((name) => findProgram(name) !== null),
    packages: ['python3', 'make', 'g++'],
  },
]

/**
 * Brings node_modules to what package-lock.json says, by `npm ci`.
 * @param {{ ask: boolean }} options ask: whether to ask first
 * @throws {Error} when npm fails
 */
export async function installDependencies(options) {
  if (dependenciesPresent()) {
    return
  }
  say('Missing in this checkout: its npm packages, as package-lock.json lists them.')
  if (options.ask && !(await agreed('Install with npm ci?'))) {
    throw new Error('Slipway cannot run without its npm packages.')
  }
  let installed = await npmCi(process.env)
  if (installed.code !== 0 && /drivelist/.test(installed.stderr)) {
    say("drivelist's ready-made native part is out of reach; it is compiled instead.")
    await installPackages(BUILD_NEEDS, options)
    installed = await npmCi({ ...process.env, ...nodeHeaders() })
  }
  if (installed.code !== 0) {
    throw new Error(`npm ci failed:\n${installed.stderr}`)
  }
}

function npmCi(env) {
  return run('npm', ['ci', '--no-audit', '--no-fund'], { cwd: root, env })
}

/** node-gyp fetches Node's headers unless it is told where they are; most installations bring them along. */
function nodeHeaders() {
  const prefix = dirname(dirname(process.execPath))
  return existsSync(join(prefix, 'include/node/node_api.h')) ? { npm_config_nodedir: prefix } : {}
}

/** Compares what npm wrote down after its last installation with the lock file, package by package. */
function dependenciesPresent() {
  const installedList = join(root, 'node_modules/.package-lock.json')
  if (!existsSync(installedList) || !existsSync(DRIVELIST_NATIVE)) {
    return false
  }
  const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages
  const installed = JSON.parse(readFileSync(installedList, 'utf8')).packages
  return Object.entries(wanted).every(
    ([path, { version, optional }]) => path === '' || optional || installed[path]?.version === version,
  )
}
