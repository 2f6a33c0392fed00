import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { buildDisk } from '../../src/main/convert/build'
import { openLibrary } from '../../src/main/library/library'
import type { InspectedImage, TreeSource } from '../../src/main/source/tree-source'
import { fail, ok, type Failure } from '../../src/shared/failure'
import { defaultBuildSettings } from '../../src/shared/image'
import { preparedDebian } from '../support/inspected'
import { silentContext } from '../support/job-context'

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-refusals-'))
})
afterEach(async () => {
  await rm(folder, { recursive: true })
})

const bare: InspectedImage = {
  ...preparedDebian,
  ...{ kernel: null, initramfs: null, init: null },
  missing: ['kernel', 'initramfs', 'init'],
}

/** What came of a build with preparation, and the phases and preparations before that. */
async function build(
  image: InspectedImage,
  canPrepare = true,
): Promise<{ failure: Failure | null; phases: string[]; preparations: number }> {
  const phases: string[] = []
  let preparations = 0
  const source: TreeSource = {
    inspect: () => Promise.resolve(ok(image)),
    prepare: canPrepare
      ? () => {
          preparations++
          return Promise.resolve(
            fail('preparation-failed', { image: image.name, reason: 'network', step: '', output: '' }),
          )
        }
      : null,
    prepareExport: () => Promise.reject(new Error('nothing is to be read')),
  }
  const context = silentContext({ phase: (name) => void phases.push(name) })
  const built = await buildDisk(context, {
    source,
    settings: { ...defaultBuildSettings, preparation: { dockerfile: null, anew: false } },
    outputPath: join(folder, 'disk.img'),
    library: openLibrary(join(folder, 'library'), () => undefined),
  })
  expect(await readdir(folder)).not.toContain('disk.img')
  return { failure: built.ok ? null : built.failure, phases, preparations }
}

describe('a build that begins with a preparation', () => {
  it('says before it that the image is for another architecture', async () => {
    const { failure, preparations } = await build({ ...bare, architecture: 's390x' })
    expect(failure).toMatchObject({ code: 'image-architecture', facts: { architecture: 's390x' } })
    expect(preparations).toBe(0)
  })

  it('says that an archive cannot be prepared', async () => {
    expect((await build(bare, false)).failure?.code).toBe('not-supported')
  })

  it('ends with what the preparation said', async () => {
    const { failure, phases, preparations } = await build(bare)
    expect(failure).toMatchObject({ code: 'preparation-failed', facts: { reason: 'network' } })
    expect({ phases, preparations }).toEqual({ phases: ['image'], preparations: 1 })
  })
})
