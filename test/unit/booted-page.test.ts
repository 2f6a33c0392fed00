import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { format, resolveConfig } from 'prettier'
import { expect, it } from 'vitest'
import { pageOf, type Result } from '../../scripts/matrix/results.mjs'

const docs = join(import.meta.dirname, '../../docs')

it('docs/BOOTED.md says what docs/booted.json says, and nothing else', async () => {
  const results = JSON.parse(await readFile(join(docs, 'booted.json'), 'utf8')) as Result[]
  const page = join(docs, 'BOOTED.md')
  const written = await format(pageOf(results), { ...(await resolveConfig(page)), parser: 'markdown' })
  expect(await readFile(page, 'utf8')).toBe(written)
})

it('names the recipes of which nothing was booted', async () => {
  const results = JSON.parse(await readFile(join(docs, 'booted.json'), 'utf8')) as Result[]
  const debian = results.filter(({ id }) => id === 'debian')
  const ubuntu = debian.slice(0, 1).map((one) => ({ ...one, id: 'ubuntu' }))
  expect(pageOf(debian)).toMatch(/for Alpine, Arch, Fedora, openSUSE and Ubuntu are unproven/)
  expect(pageOf([...debian, ...ubuntu])).toMatch(/for Alpine, Arch, Fedora and openSUSE are unproven/)
})
