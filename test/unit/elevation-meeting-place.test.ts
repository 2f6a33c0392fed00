import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { expect, test } from 'vitest'
import { makeDirectory, removeStaleDirectories } from '../../src/main/elevation/meeting-place'

test('a meeting place is for its user alone, and its name tells whose it is', async () => {
  const directory = await makeDirectory()
  expect((await stat(directory)).mode & 0o777).toBe(0o700)
  expect(basename(directory)).toMatch(new RegExp(`^slipway-${process.pid}-\\w{6}$`))
  await rm(directory, { recursive: true })
})

test('those of processes that are dead are removed, and nothing else', async () => {
  const base = await mkdtemp(join(tmpdir(), 'slipway-stale-'))
  const dead = spawn('true')
  await once(dead, 'exit')
  const id = dead.pid ?? 0
  const make = async (name: string, mode = 0o700): Promise<void> => {
    await mkdir(join(base, name))
    await writeFile(join(base, name, 'secret'), 'x')
    await chmod(join(base, name), mode)
  }
  await make(`slipway-${id}-AAAAAA`)
  await make(`slipway-${process.pid}-BBBBBB`)
  await make(`slipway-${id}-CCCCCC`, 0o755)
  await make(`other-${id}-DDDDDD`)
  await make('slipway-EEEEEE')
  await writeFile(join(base, `slipway-${id}-FFFFFF`), 'a file')
  await removeStaleDirectories(base)
  expect((await readdir(base)).sort()).toEqual(
    [
      `other-${id}-DDDDDD`,
      'slipway-EEEEEE',
      `slipway-${process.pid}-BBBBBB`,
      `slipway-${id}-CCCCCC`,
      `slipway-${id}-FFFFFF`,
    ].sort(),
  )
  await rm(base, { recursive: true })
})
