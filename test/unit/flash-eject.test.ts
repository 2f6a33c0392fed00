import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ejectDrive } from '../../src/main/helper/flash-eject'
import { memoryDrive, MIB } from '../support/memory-drive'

let busPath = ''
beforeEach(async () => {
  busPath = await mkdtemp(join(tmpdir(), 'slipway-eject-'))
  await writeFile(join(busPath, 'delete'), '')
})
afterEach(() => rm(busPath, { recursive: true, force: true }))

const told = (): Promise<string> => readFile(join(busPath, 'delete'), 'utf8')

test('a USB drive is taken off its bus by the path that it had when it was opened', async () => {
  expect(await ejectDrive({ busPath, device: memoryDrive(MIB) }, 'usb')).toBe(true)
  expect(await told()).toBe('1')
})

test('a medium that was exchanged meanwhile is left alone', async () => {
  const device = memoryDrive(MIB)
  device.present = false
  expect(await ejectDrive({ busPath, device }, 'usb')).toBe(false)
  expect(await told()).toBe('')
})

test('a stick that went away is not looked for, and nothing is made in its place', async () => {
  await rm(join(busPath, 'delete'))
  expect(await ejectDrive({ busPath, device: memoryDrive(MIB) }, 'usb')).toBe(false)
  expect(await readdir(busPath)).toEqual([])
})

test('a card in its slot and a drive without a bus are not ejected', async () => {
  expect(await ejectDrive({ busPath, device: memoryDrive(MIB) }, 'mmc')).toBe(false)
  expect(await ejectDrive({ busPath: null, device: memoryDrive(MIB) }, 'usb')).toBe(false)
  expect(await told()).toBe('')
})
