import { describe, expect, test } from 'vitest'
import { drivesOf } from '../../src/main/drives/linux/drives'
import { judgeTarget } from '../../src/main/helper/flash-target'
import { flashRequestSchema, type FlashTarget } from '../../src/shared/helper-protocol'
import type { Drive } from '../../src/shared/drive'
import { GB, machine, nvmeMounts, nvmeRoot, sataDisk, usbStick, type Block } from '../support/machine'
import { requestFor } from '../support/flash'

function drives(...blocks: Block[]): Drive[] {
  return drivesOf(machine({ blocks: [nvmeRoot(), ...blocks], mounts: nvmeMounts }), { paths: [], files: [] })
}

function confirmed(
  device = '/dev/sdb',
  blocks: Block[] = [usbStick('sdb')],
  all = drives(...blocks),
): FlashTarget {
  const drive = all.find((one) => one.device === device)
  if (drive === undefined) throw new Error(`no ${device}`)
  // As it comes out of the socket: what is no part of the identity does not come along.
  const { targets } = flashRequestSchema.parse(requestFor(drive, 4 * GB))
  return targets[0] as FlashTarget
}

const judge = (target: FlashTarget, all: Drive[], loopTargets: boolean): ReturnType<typeof judgeTarget> =>
  judgeTarget(target, 4 * GB, all, loopTargets)

const failure = (code: string, facts: object): object => ({ ok: false, failure: { code, facts } })

test('the confirmed stick may be written', () => {
  const verdict = judge(confirmed(), drives(usbStick('sdb')), false)
  expect(verdict).toMatchObject({ ok: true, value: { device: '/dev/sdb', serial: '4C530001' } })
})

describe('a stick that is not the confirmed one', () => {
  test.each<[string, Partial<Block>]>([
    ['sizeBytes', { size: 64 * GB }],
    ['vendor', { vendor: 'Kingston' }],
    ['model', { model: 'Extreme' }],
    ['serial', { serial: '4C530002' }],
    ['bus', { sys: 'pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0/block/sdb', tran: 'sata' }],
    ['port', { sys: 'pci0000:00/0000:00:14.0/usb1/1-3/1-3:1.0/host4/target4:0:0/4:0:0:0/block/sdb' }],
    ['diskSequence', { seq: '99' }],
    ['wwn', { wwn: '0x5000c500a1b2c3d4' }],
    ['layout', { within: [{ name: 'sdb1', fs: 'vfat', label: 'PHOTOS', size: 4 * GB }] }],
    ['layout', { within: [] }],
    ['contents', { within: [{ name: 'sdb1', fs: 'ext4', label: 'PHOTOS' }] }],
    ['contents', { within: [{ name: 'sdb1', fs: 'vfat', label: 'WORK' }] }],
    ['contents', { within: [{ name: 'sdb1', fs: 'vfat', label: 'PHOTOS', uuid: '1234-5678' }] }],
    ['contents', { within: [{ name: 'sdb1', fs: 'vfat', label: 'PHOTOS', partUuid: 'abcd-01' }] }],
  ])('differs in its %s', (field, changes) => {
    const verdict = judge(confirmed(), drives(usbStick('sdb', changes)), false)
    expect(verdict).toMatchObject({ ok: false, failure: { code: 'drive-changed', facts: { field } } })
  })

  test('has another device number', () => {
    const verdict = judge(confirmed(), drives(usbStick('sda'), usbStick('sdb')), false)
    expect(verdict).toMatchObject({
      ok: false,
      failure: { code: 'drive-changed', facts: { field: 'majorMinor' } },
    })
  })

  test.each([
    ['another name by id', { 'usb-SanDisk_Ultra_4C530002-0:0': 'sdb' }],
    ['one more', { 'usb-SanDisk_Ultra_4C530001-0:0': 'sdb', 'wwn-0x5000c500a1b2c3d4': 'sdb' }],
    ['none', {}],
  ])('has %s', (_, byId) => {
    const found = (links: Record<string, string>): Drive[] => {
      const blocks = [nvmeRoot(), usbStick('sdb')]
      return drivesOf(machine({ blocks, mounts: nvmeMounts, byId: links }), { paths: [], files: [] })
    }
    const before = found({ 'usb-SanDisk_Ultra_4C530001-0:0': 'sdb' })
    const verdict = judge(confirmed('/dev/sdb', [], before), found(byId), false)
    expect(verdict).toMatchObject({
      ok: false,
      failure: { code: 'drive-changed', facts: { field: 'byId' } },
    })
  })

  test('is not there', () => {
    const verdict = judge(confirmed(), drives(usbStick('sdc')), false)
    expect(verdict).toEqual(failure('drive-gone', { device: '/dev/sdb' }))
  })
})

test('what an ordinary user could not read of a stick is no difference to what root reads', () => {
  const found = (contentsReadable: boolean): Drive[] => {
    const blocks = [nvmeRoot(), usbStick('sdb')]
    return drivesOf(machine({ blocks, mounts: nvmeMounts, contentsReadable }), { paths: [], files: [] })
  }
  expect(judge(confirmed('/dev/sdb', [], found(false)), found(true), false)).toMatchObject({ ok: true })
})

describe('what was typed', () => {
  const typed = (confirmation: string): unknown =>
    judge({ ...confirmed(), confirmation }, drives(usbStick('sdb')), false)

  test.each(['SanDisk Ultra', ' sandisk   ultra '])('"%s" confirms', (text) => {
    expect(typed(text)).toMatchObject({ ok: true })
  })

  test.each(['', 'SanDisk', 'sdb', 'SanDisk Ultra 2', 'yes'])('"%s" does not', (text) => {
    expect(typed(text)).toEqual(failure('confirmation-wrong', { expected: 'SanDisk Ultra' }))
  })

  test('has to name the device too where another drive has the same name', () => {
    const twins = [usbStick('sda'), usbStick('sdb')]
    const typedFor = (confirmation: string): unknown =>
      judge({ ...confirmed('/dev/sdb', twins), confirmation }, drives(...twins), false)
    const wrong = failure('confirmation-wrong', { expected: 'SanDisk Ultra sdb' })
    expect(typedFor('SanDisk Ultra')).toEqual(wrong)
    expect(typedFor('SanDisk Ultra sda')).toEqual(wrong)
    expect(typedFor('SanDisk Ultra sdb')).toMatchObject({ ok: true })
  })
})

test('the system drive is refused though everything about it was confirmed and allowed', () => {
  const target = { ...confirmed('/dev/nvme0n1'), unmount: true, expert: 'nvme0n1' }
  const verdict = judge(target, drives(usbStick('sdb')), true)
  expect(verdict).toEqual(failure('drive-refused', { device: '/dev/nvme0n1', reasons: ['system'] }))
})

describe('a built-in disk', () => {
  const verdict = (expert: string | null): unknown =>
    judge({ ...confirmed('/dev/sda', [sataDisk('sda')]), expert }, drives(sataDisk('sda')), false)

  test('is refused without the expert setting', () => {
    const facts = { device: '/dev/sda', reasons: ['not-removable'] }
    expect(verdict(null)).toEqual(failure('drive-refused', facts))
  })

  test.each(['', 'sdb', 'ATA WDC WD10', 'yes'])('is refused when the second confirmation is "%s"', (text) => {
    expect(verdict(text)).toEqual(failure('confirmation-wrong', { expected: 'sda' }))
  })

  test.each(['sda', '/dev/sda', ' sda '])('may be written when it was "%s"', (text) => {
    expect(verdict(text)).toMatchObject({ ok: true })
  })
})

test('a stick needs no second confirmation though the expert setting is on', () => {
  expect(judge({ ...confirmed(), expert: '' }, drives(usbStick('sdb')), false)).toMatchObject({ ok: true })
})

test('a partition is no drive', () => {
  const target = confirmed()
  const drive = { ...target.drive, device: '/dev/sdb1' }
  expect(judge({ ...target, drive }, drives(usbStick('sdb')), false)).toEqual(
    failure('drive-refused', { device: '/dev/sdb1', reasons: ['type'] }),
  )
})

test('the size that is asked for is the size of the disk, not of its data', () => {
  const verdict = judgeTarget(confirmed(), 33 * GB, drives(usbStick('sdb')), false)
  expect(verdict).toEqual(failure('drive-refused', { device: '/dev/sdb', reasons: ['too-small'] }))
})
