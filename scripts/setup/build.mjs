import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './paths.mjs'
import { run } from './run.mjs'

/** What `npm run build` makes. */
const PRODUCTS = [
  'out/main/index.js',
  'out/preload/index.cjs',
  'out/renderer/index.html',
  'out/helper/helper.cjs',
  'out/direct/direct.cjs',
  'out/archive/archive.cjs',
  'out/cli/slipway.cjs',
]
const SOURCES = [
  'src',
  'package-lock.json',
  'electron.vite.config.ts',
  'vite.node.config.ts',
  'tsconfig.json',
]

/** @returns {boolean} whether a source is newer than what was built of it, or something was never built */
export function isBuildStale() {
  const built = Math.min(...PRODUCTS.map((path) => newest(join(root, path)) ?? -Infinity))
  return SOURCES.some((path) => (newest(join(root, path)) ?? 0) > built)
}

/** @returns {number | null} time of the last change in a file or below a directory, in milliseconds */
function newest(path) {
  const entry = statSync(path, { throwIfNoEntry: false })
  if (entry === undefined) {
    return null
  }
  if (!entry.isDirectory()) {
    return entry.mtimeMs
  }
  return Math.max(entry.mtimeMs, ...readdirSync(path).map((name) => newest(join(path, name)) ?? 0))
}

/**
 * Builds the window, the helper and the terminal form.
 * @throws {Error} with the compiler's words
 */
export async function build() {
  const built = await run('npm', ['run', '--silent', 'build'], { cwd: root })
  if (built.code !== 0) {
    throw new Error(`npm run build failed:\n${built.stdout}${built.stderr}`)
  }
}
