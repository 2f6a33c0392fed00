import { readdir } from 'node:fs/promises'
import { describe, expect, test, vi } from 'vitest'
import type { Drive as PortableDrive } from 'drivelist'
import { deviceNumber } from '../../src/main/drives/linux/device-number'
import { drivesOf } from '../../src/main/drives/linux/drives'
import { overlayFolders, parseLsblk, parseMountinfo, parseSwaps } from '../../src/main/drives/linux/parse'
import { listDrives } from '../../src/main/drives/list'
import {
  driveKey,
  identityOf,
  listedDrives,
  watchDrives,
  type ListedDrive,
} from '../../src/main/drives/watch'
import { driveName, identityDifference, type Drive } from '../../src/shared/drive'
import { GB, machine, nvmeMounts, nvmeRoot, sataDisk, usbStick, type Block } from '../support/machine'

const nothing = { paths: [], files: [] }

function drives(...blocks: Block[]): Drive[] {
  return drivesOf(machine({ blocks: [nvmeRoot(), ...blocks], mounts: nvmeMounts }), nothing)
}

function only(block: Block): Drive {
  const drive = drives(block).find(({ device }) => device === `/dev/${block.name}`)
  if (drive === undefined) throw new Error('no drive')
  return drive
}

describe('texts of the kernel', () => {
  test('mountinfo: escapes, optional fields and none, lines that are no mounts', () => {
    const table = [
      '36 35 98:0 /mnt1 /mnt\\040two\\134x rw,noatime master:1 shared:2 - ext3 /dev/root rw,errors=continue',
      '37 35 0:42 /@home /home rw - btrfs /dev/sda1 rw,subvol=/@home',
      '38 35 0:43 / /media/a\\040-\\040b rw - fuse.x a\\011b rw',
      'nonsense',
      '',
    ].join('\n')
    expect(parseMountinfo(table)).toEqual([
      {
        id: '36',
        parentId: '35',
        majorMinor: '98:0',
        mountpoint: '/mnt two\\x',
        type: 'ext3',
        source: '/dev/root',
        superOptions: 'rw,errors=continue',
      },
      {
        id: '37',
        parentId: '35',
        majorMinor: '0:42',
        mountpoint: '/home',
        type: 'btrfs',
        source: '/dev/sda1',
        superOptions: 'rw,subvol=/@home',
      },
      {
        id: '38',
        parentId: '35',
        majorMinor: '0:43',
        mountpoint: '/media/a - b',
        type: 'fuse.x',
        source: 'a\tb',
        superOptions: 'rw',
      },
    ])
  })

  test('swaps: the header is none, escapes are undone', () => {
    const table = 'Filename\t\tType\n/dev/dm-1      partition 1 0 -2\n/swap\\040file   file 1 0 -3\n'
    expect(parseSwaps(table)).toEqual(['/dev/dm-1', '/swap file'])
  })

  test('overlay: old and new option names; relative layers are left out', () => {
    expect(overlayFolders('rw,lowerdir=/a:/b:l/C,upperdir=/c,workdir=/d,xino=off')).toEqual([
      '/a',
      '/b',
      '/c',
      '/d',
    ])
    expect(overlayFolders('rw,lowerdir+=/a,datadir+=/b')).toEqual(['/a', '/b'])
    const escaped = String.raw`rw,lowerdir=/a\134:b:/c\054d\040e:/f\134\134,upperdir=/g\134:h`
    expect(overlayFolders(escaped)).toEqual(['/a:b', '/c,d e', '/f\\', '/g:h'])
  })

  test('lsblk: a device under two others is one device', () => {
    const leaf = { name: 'md0', kname: 'md0', type: 'raid1' }
    const disk = (name: string): object => ({ name, kname: name, type: 'disk', children: [leaf] })
    const nodes = parseLsblk(JSON.stringify({ blockdevices: [disk('sda'), disk('sdb')] }))
    expect([...nodes.keys()]).toEqual(['sda', 'md0', 'sdb'])
    expect(nodes.get('sdb')?.children).toEqual(['md0'])
  })

  test('lsblk: what is not its JSON throws', () => {
    expect(() => parseLsblk('')).toThrow()
    expect(() => parseLsblk('{"blockdevices": [{"kname": "sda"}]}')).toThrow()
  })

  test('device numbers, also beyond 8 bits (gnu_dev_makedev)', () => {
    expect(deviceNumber(0x0811n)).toBe('8:17')
    expect(deviceNumber(0x10_3f2n)).toBe('259:242')
    expect(deviceNumber(0x0000_1000_0020_0345n)).toBe('4099:581')
  })
})

describe('what makes a drive that drive', () => {
  test('the identity of a stick', () => {
    const byId = {
      'usb-SanDisk_Ultra_4C53-0:0': 'sdb',
      'usb-SanDisk_Ultra_4C53-0:0-part1': 'sdb1',
      'ata-X': 'sda',
    }
    const blocks = [nvmeRoot(), usbStick('sdb', { seq: '27' })]
    const stick = drivesOf(machine({ blocks, mounts: nvmeMounts, byId }), nothing).find(
      ({ bus }) => bus === 'usb',
    )
    expect(stick && identityOf(stick)).toEqual({
      device: '/dev/sdb',
      majorMinor: '8:4',
      sizeBytes: 32 * GB,
      vendor: 'SanDisk',
      model: 'Ultra',
      serial: '4C530001',
      wwn: '',
      bus: 'usb',
      port: 'pci0000:00/0000:00:14.0/usb1/1-2/1-2:1.0/0:0:0',
      diskSequence: '27',
      byId: ['usb-SanDisk_Ultra_4C53-0:0'],
      layout: expect.stringMatching(/^[0-9a-f]{64}$/) as unknown,
      contents: expect.stringMatching(/^[0-9a-f]{64}$/) as unknown,
    })
  })

  test('the port does not change with the SCSI host number, and tells the slots of a reader apart', () => {
    const at = (host: number, unit: number): string =>
      only(
        usbStick('sdb', {
          sys: `pci0000:00/usb1/1-2/1-2:1.0/host${host}/target${host}:0:0/${host}:0:0:${unit}/block/sdb`,
        }),
      ).port
    expect(at(4, 0)).toBe(at(9, 0))
    expect(at(4, 0)).not.toBe(at(4, 1))
  })

  test('two identical sticks have different keys; the same stick has one key', () => {
    const [first, second] = drives(usbStick('sdb'), usbStick('sdc')).filter(({ bus }) => bus === 'usb')
    if (first === undefined || second === undefined) throw new Error('two sticks')
    expect(driveKey(first)).not.toBe(driveKey(second))
    expect(driveKey({ ...first })).toBe(driveKey(first))
    const mounted: Drive = { ...first, mountpoints: ['/mnt'] }
    expect(driveKey(mounted)).toBe(driveKey(first))
  })

  test('a stick swapped for its twin in the same port differs in its sequence, and so in its key', () => {
    const before = only(usbStick('sdb', { seq: '7' }))
    const after = only(usbStick('sdb', { seq: '8' }))
    expect(identityDifference(before, after)).toEqual({ field: 'diskSequence', confirmed: '7', found: '8' })
    expect(driveKey(before)).not.toBe(driveKey(after))
  })

  test('a name that would turn text around is shown without the means to do so', () => {
    const drive = only(usbStick('sdb', { vendor: 'Safe\u202e', model: 'ADS\u0007 \u200bdrive\n' }))
    expect(driveName(drive)).toBe('Safe ADS drive')
    expect(drive.model).toContain('\u200b')
  })

  test('a place that would turn text around is shown without the means to do so', () => {
    const mount = '/dev/sdb1 /media/ada/\u202eFDP\u0007 vfat'
    const state = machine({ blocks: [nvmeRoot(), usbStick('sdb')], mounts: [...nvmeMounts, mount] })
    const stick = drivesOf(state, nothing).find(({ bus }) => bus === 'usb')
    expect(stick?.mountpoints).toEqual(['/media/ada/FDP'])
    expect(stick?.volumes[0]?.mountpoints).toEqual(['/media/ada/FDP'])
  })

  test('a stick without maker and model is called by its device', () => {
    expect(driveName(only({ name: 'sdb', tran: 'usb', rm: true }))).toBe('sdb')
  })
})

describe('what would be lost', () => {
  test('partitions in their order on the drive, with label, file system and use', () => {
    const within = [
      { name: 'sdb1', fs: 'vfat', label: 'PHO\u202eTOS', used: 7 * GB },
      { name: 'sdb2', fs: 'ext4' },
    ]
    const { volumes } = only(usbStick('sdb', { within }))
    expect(
      volumes.map(({ device, label, fileSystem, usedBytes }) => [device, label, fileSystem, usedBytes]),
    ).toEqual([
      ['/dev/sdb1', 'PHOTOS', 'vfat', 7 * GB],
      ['/dev/sdb2', null, 'ext4', null],
    ])
    expect(volumes[0]?.startBytes).toBeLessThan(volumes[1]?.startBytes ?? 0)
  })

  test('a drive that is one file system is one volume without a beginning', () => {
    const { volumes } = only(usbStick('sdb', { fs: 'exfat', label: 'CAMERA', within: [] }))
    expect(volumes).toMatchObject([{ device: '/dev/sdb', label: 'CAMERA', startBytes: null }])
  })

  test('the mountpoint of a volume includes that of what was opened on it', () => {
    const crypt = { name: 'dm-0', type: 'crypt', label: 'luks-1' }
    const blocks = [
      nvmeRoot(),
      usbStick('sdb', { within: [{ name: 'sdb1', fs: 'crypto_LUKS', within: [crypt] }] }),
    ]
    const mounts = [...nvmeMounts, '/dev/mapper/luks-1 /media/x ext4']
    const stick = drivesOf(machine({ blocks, mounts }), nothing).find(({ bus }) => bus === 'usb')
    expect(stick?.volumes[0]?.mountpoints).toEqual(['/media/x'])
    expect(stick?.holders).toEqual(['luks-1'])
  })
})

describe('the list of the window', () => {
  const all = drives(
    usbStick('sdb'),
    sataDisk('sda'),
    { name: 'loop0', type: 'loop', backing: '/srv/a' },
    { name: 'loop1', type: 'loop', size: 0 },
    { name: 'zram0' },
    { name: 'ram0' },
    { name: 'fd0' },
    { name: 'sr0', type: 'rom' },
    { name: 'nbd3' },
  )

  test('has whole drives only, with the reasons against them', () => {
    const list = listedDrives(all, false)
    expect(list.map(({ device, name, reasons }) => [device, name, reasons])).toEqual([
      ['/dev/nvme0n1', 'Samsung SSD 980', ['system', 'not-removable', 'mounted', 'large']],
      ['/dev/sda', 'ATA WDC WD10', ['not-removable']],
      ['/dev/sdb', 'SanDisk Ultra', []],
    ])
  })

  test('has attached loop devices under the test switch', () => {
    const loops = listedDrives(all, true).filter(({ type }) => type === 'loop')
    expect(loops.map(({ device, reasons }) => [device, reasons])).toEqual([['/dev/loop0', []]])
  })
})

describe('drivelist', () => {
  const portable: PortableDrive = {
    blockSize: 512,
    busType: 'USB',
    busVersion: null,
    description: 'SanDisk Ultra',
    device: '/dev/disk4',
    devicePath: 'IODeviceTree:/x',
    enumerator: 'DiskArbitration',
    error: null,
    isCard: null,
    isReadOnly: false,
    isRemovable: true,
    isSCSI: null,
    isSystem: false,
    isUAS: null,
    isUSB: true,
    isVirtual: false,
    logicalBlockSize: 512,
    mountpoints: [{ path: '/Volumes/PHOTOS', label: 'PHOTOS' }],
    raw: '/dev/rdisk4',
    size: 32 * GB,
    partitionTableType: 'mbr',
  }
  test.runIf(process.platform === 'linux')('that does not load is said once and is no failure', async () => {
    const lines: string[] = []
    const load = (): never => {
      throw new Error('no bindings file\nmore')
    }
    const first = await listDrives(nothing, (line) => lines.push(line), load)
    await listDrives(nothing, (line) => lines.push(line), load)
    expect(first.ok).toBe(true)
    expect(lines).toEqual(['drivelist does not work here: Error: no bindings file'])
  })

  test.runIf(process.platform === 'linux')('is not believed where the kernel knows better', async () => {
    const lines: string[] = []
    const load = (): Promise<{ list(): Promise<PortableDrive[]> }> =>
      Promise.resolve({ list: () => Promise.resolve([portable]) })
    const found = await listDrives(nothing, (line) => lines.push(line), load)
    expect(found.ok && found.value.some(({ device }) => device === '/dev/disk4')).toBe(false)
    expect(lines).toEqual(['drivelist alone sees /dev/disk4'])
  })
})

test.runIf(process.platform === 'linux')('this machine has the drives that its kernel lists', async () => {
  const found = await listDrives(nothing, () => undefined)
  if (!found.ok) throw new Error(found.failure.code)
  const names = found.value.map(({ device }) => device.replace('/dev/', '').replaceAll('/', '!')).sort()
  expect(names).toEqual((await readdir('/sys/block')).sort())
})

test.runIf(process.platform === 'linux')(
  'the watch calls back at once, and never after its end',
  async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const lists: ListedDrive[][] = []
    try {
      let first: () => void = () => undefined
      const called = new Promise<void>((resolve) => (first = resolve))
      const options = { needed: () => nothing, loopTargets: false, log: () => undefined }
      const end = watchDrives({
        ...options,
        onChange: (list) => {
          lists.push(list)
          first()
        },
      })
      await called
      end()
      await vi.advanceTimersByTimeAsync(120_000)
    } finally {
      vi.useRealTimers()
    }
    expect(lists).toHaveLength(1)
  },
)
