import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readBounds, writeBounds } from '../../src/main/app/window-state'

const screens = [{ x: 0, y: 0, width: 1920, height: 1080 }]
let folder = ''
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'slipway-test-'))))
afterEach(() => {
  rmSync(folder, { recursive: true })
})

describe('window place', () => {
  it('comes back as it was kept', async () => {
    const bounds = { x: 10, y: 20, width: 1000, height: 600 }
    await writeBounds(join(folder, 'w.json'), bounds)
    expect(readBounds(join(folder, 'w.json'), screens)).toEqual(bounds)
  })
  it('is forgotten when its screen is gone', async () => {
    await writeBounds(join(folder, 'w.json'), { x: 2500, y: 20, width: 1000, height: 600 })
    expect(readBounds(join(folder, 'w.json'), screens)).toBeNull()
  })
  it('is nothing when the file is broken or absent', () => {
    writeFileSync(join(folder, 'w.json'), '{"x": 1')
    expect(readBounds(join(folder, 'w.json'), screens)).toBeNull()
    expect(readBounds(join(folder, 'absent.json'), screens)).toBeNull()
  })
})
