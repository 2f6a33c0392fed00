import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { preparePacker } from '../../src/main/convert/pack'
import { silentContext } from '../support/job-context'

const MIB = 1024 * 1024
let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-pack-'))
  await writeFile(join(folder, 'disk.img'), randomBytes(8 * MIB))
})
afterAll(() => rm(folder, { recursive: true }))

function limitFiles(bytes: string): void {
  execFileSync('prlimit', ['--pid', String(process.pid), `--fsize=${bytes}:`])
}

it.each(['gz', 'qcow2'] as const)('says of a %s that it may not become as large', async (format) => {
  const packer = await preparePacker(format)
  if (!packer.ok || packer.value === null) throw new Error('no packer')
  const path = join(folder, `disk.${format}`)
  await writeFile(path, '')
  limitFiles(String(2 * MIB))
  try {
    const packed = await packer.value.pack(silentContext(), join(folder, 'disk.img'), path)
    expect(packed).toEqual({ ok: false, failure: { code: 'output-too-large', facts: { path } } })
  } finally {
    limitFiles('unlimited')
  }
})
