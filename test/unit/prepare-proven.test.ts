import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { recipeOf } from '../../src/shared/recipe'

const results = z
  .array(z.object({ entry: z.string(), id: z.string(), version: z.string(), failed: z.array(z.string()) }))
  .parse(JSON.parse(readFileSync(join(import.meta.dirname, '../../docs/booted.json'), 'utf8')))

it.each([
  ...['11', '12', '13', '14', ''].map((version) => ['debian', version] as const),
  ...['22.04', '24.04', '26.04'].map((version) => ['ubuntu', version] as const),
])('%s “%s” is called proven when it was booted, and only then', (distribution, version) => {
  // What boots by itself proves nothing of a recipe.
  const wasBooted = results.some(
    ({ entry, id, ...one }) =>
      id === distribution &&
      one.version === version &&
      one.failed.length === 0 &&
      entry !== 'bootable' &&
      entry !== 'archive',
  )
  expect(recipeOf({ id: distribution, version, prettyName: '' }, 'apt')?.proven).toBe(wasBooted)
})

it.each([
  ['alpine', 'apk'],
  ['fedora', 'dnf'],
  ['arch', 'pacman'],
  ['opensuse-leap', 'zypper'],
] as const)('%s is unproven', (id, packageManager) => {
  expect(recipeOf({ id, version: '', prettyName: '' }, packageManager)?.proven).toBe(false)
})
