import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { format, resolveConfig } from 'prettier'
import { root } from '../setup/paths.mjs'

const data = join(root, 'docs/booted.json')
const page = join(root, 'docs/BOOTED.md')

/**
 * @typedef {{ entry: string, about: string, distribution: string, id: string, version: string, kernel: string, firmware: string, date: string,
 *   checks: string[], failed: string[] }} Result
 */

/**
 * Writes down how an entry ended, in the place of what was known of it, and the page that shows all of them.
 * @param {Result} result
 */
export async function record(result) {
  /** @type {Result[]} */
  const known = JSON.parse(await readFile(data, 'utf8').catch(() => '[]'))
  const results = [...known.filter(({ entry }) => entry !== result.entry), result]
  results.sort((a, b) => a.entry.localeCompare(b.entry, 'en'))
  await writeResults(results)
}

/** @param {Result[]} results all of them */
export async function writeResults(results) {
  const style = await resolveConfig(data)
  await writeFile(data, await format(JSON.stringify(results), { ...style, parser: 'json' }))
  await writeFile(page, await format(pageOf(results), { ...style, parser: 'markdown' }))
}

/** What the recipes are called whose file has that name. */
const recipeNames = {
  alpine: 'Alpine',
  arch: 'Arch',
  debian: 'Debian',
  fedora: 'Fedora',
  opensuse: 'openSUSE',
  ubuntu: 'Ubuntu',
}

/**
 * The page.
 * @param {Result[]} results all of them
 */
export function pageOf(results) {
  // By os-release's ID, which is the family's name for the first of each.
  const unproven = Object.entries(recipeNames)
    .filter(([family]) => !results.some(({ id, failed }) => id === family && failed.length === 0))
    .map(([, name]) => name)
  const rows = results.map(
    ({ distribution, about, firmware, kernel, date, failed, checks }) =>
      `| ${distribution} | ${about} | ${firmware.toUpperCase()} | ${kernel} | ${date} | ${failed.length === 0 ? `all ${checks.length} checks` : `${failed.length} of ${checks.length} failed`} |`,
  )
  const details = results.flatMap(({ entry, checks, failed }) => [
    `### ${entry}`,
    '',
    ...checks.map((check) => `- ${check}${failed.includes(check) ? ': **failed**' : ''}`),
    '',
  ])
  return [
    '# What was booted',
    '',
    'Written by `npm run matrix`: each image was made from the archive of its distribution, built into a disk by',
    'the terminal form, booted in QEMU, and asked over its serial console. What is not here was not booted:',
    `the recipes for ${unproven.slice(0, -1).join(', ')} and ${unproven.at(-1)} are unproven. Wi-Fi was joined by simulated radios alone.`,
    '',
    '| Distribution | Image | Firmware | Kernel | Date | Found |',
    '| --- | --- | --- | --- | --- | --- |',
    ...rows,
    '',
    '## What was looked at',
    '',
    ...details,
  ].join('\n')
}
