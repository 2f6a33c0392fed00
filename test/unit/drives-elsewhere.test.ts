import { describe, expect, test } from 'vitest'
import { diskutilInfoSchema, diskutilListSchema, macosDrives } from '../../src/main/drives/macos/drives'
import { parsePlist } from '../../src/main/drives/macos/plist'
import { windowsDrives, windowsStateSchema } from '../../src/main/drives/windows/drives'
import { checkDrive, type Drive, type DriveAllowance } from '../../src/shared/drive'

// What the tools print here was built after their documented formats (diskutil(8) and property lists; MSFT_Disk,
// MSFT_Partition and MSFT_Volume of the Windows Storage Management API). None of it was recorded on a machine.

const GB = 1_000_000_000
const nothing = { paths: [], files: [] }
const plain: DriveAllowance = { unmount: false, expert: false, loopTargets: false }

/** The guards' verdicts, by device. */
function verdicts(drives: readonly Drive[], allowance: DriveAllowance = plain): Record<string, string[]> {
  return Object.fromEntries(drives.map((drive) => [drive.device, checkDrive(drive, 4 * GB, allowance)]))
}

function only(drives: readonly Drive[], device: string): Drive {
  const drive = drives.find((one) => one.device === device)
  if (drive === undefined) throw new Error(`no ${device}`)
  return drive
}

describe('a property list', () => {
  const list = (body: string): string =>
    `<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">\n<plist version="1.0">\n${body}\n</plist>\n`

  test('has every kind of value', () => {
    const text = `<dict>
      <key>a &amp; b</key><string>x &lt;&#65;&#x42;</string>
      <key>n</key><integer>31914983424</integer><key>t</key><true/><key>f</key><false/>
      <key>empty</key><string/><key>none</key><array/><key>d</key><dict/>
      <key>list</key><array><string>1</string><dict><key>k</key><string></string></dict></array>
    </dict>`
    expect(parsePlist(list(text))).toEqual({
      ...{ 'a & b': 'x <AB', n: 31914983424, t: true, f: false, empty: '', none: [], d: {} },
      list: ['1', { k: '' }],
    })
  })

  test('that is none, or cut off, is nothing', () => {
    const wrong = [
      '<dict><key>a</key>',
      '<dict><string>x</string></dict>',
      '<array><string>x</string></dict>',
      '<dict><key>a</key><key>b</key></dict>',
      '<true/><true/>',
      '',
    ]
    for (const text of wrong) expect([text, parsePlist(list(text))]).toEqual([text, null])
  })
})

describe('a Mac', () => {
  const part = (DeviceIdentifier: string, Content: string, more = {}): object => ({
    ...{ DeviceIdentifier, Content, Size: GB },
    ...more,
  })
  const parts = [
    part('disk0', 'GUID_partition_scheme', {
      Partitions: [part('disk0s1', 'Apple_APFS_ISC'), part('disk0s2', 'Apple_APFS')],
    }),
    part('disk3', 'EF57347C-0000-11AA-AA11-00306543ECAC', {
      APFSPhysicalStores: [{ DeviceIdentifier: 'disk0s2' }],
      APFSVolumes: [
        part('disk3s1', '', {
          VolumeName: 'Macintosh HD',
          MountedSnapshots: [{ SnapshotBSD: 'disk3s1s1', SnapshotMountPoint: '/' }],
        }),
        part('disk3s5', '', { VolumeName: 'Data', MountPoint: '/System/Volumes/Data', CapacityInUse: 7 }),
      ],
    }),
    part('disk4', 'FDisk_partition_scheme', {
      Partitions: [part('disk4s1', 'DOS_FAT_32', { VolumeName: 'PHOTOS', MountPoint: '/Volumes/PHOTOS' })],
    }),
    part('disk5', 'FDisk_partition_scheme', { Partitions: [part('disk5s1', 'Linux')] }),
    part('disk6', 'GUID_partition_scheme', { Partitions: [part('disk6s1', 'Apple_HFS')] }),
    part('disk7', 'GUID_partition_scheme', { Partitions: [part('disk7s2', 'Apple_APFS')] }),
    part('disk8', 'EF57347C-0000-11AA-AA11-00306543ECAC', {
      APFSPhysicalStores: [{ DeviceIdentifier: 'disk7s2' }],
      APFSVolumes: [part('disk8s1', '', { VolumeName: 'Other system', MountPoint: '/' })],
    }),
    part('disk9', 'GUID_partition_scheme', { Partitions: [part('disk9s1', 'Apple_RAID')] }),
    part('disk10', ''),
  ]
  const info = (DeviceIdentifier: string, more = {}): object => ({
    ...{ DeviceIdentifier, DeviceTreePath: `IODeviceTree:/${DeviceIdentifier}`, MediaName: 'Ultra' },
    ...{ BusProtocol: 'USB', VirtualOrPhysical: 'Physical', Internal: false, RemovableMedia: true },
    ...{ WritableMedia: true, TotalSize: 32 * GB, SystemImage: false },
    ...more,
  })
  const list = diskutilListSchema.parse({ AllDisksAndPartitions: parts, WholeDisks: ['disk0'] })
  const infos = [
    info('disk0', {
      ...{ BusProtocol: 'Apple Fabric', Internal: true, RemovableMedia: false, TotalSize: 500 * GB },
      MediaName: 'APPLE SSD AP0512Q',
    }),
    info('disk3', { VirtualOrPhysical: 'Virtual', Internal: true }),
    info('disk4'),
    info('disk5', { BusProtocol: 'Secure Digital', Internal: true }),
    info('disk6', { BusProtocol: 'Disk Image', VirtualOrPhysical: 'Virtual' }),
    info('disk7'),
    info('disk9'),
    info('disk10', { TotalSize: 0, WritableMedia: false }),
  ].map((one) => diskutilInfoSchema.parse(one))
  const drives = macosDrives(list, infos, nothing)

  test('may write a stick and a card, and nothing that it runs from', () => {
    expect(verdicts(drives)).toEqual({
      '/dev/disk0': ['system', 'not-removable', 'mounted', 'large'],
      '/dev/disk4': ['mounted'],
      '/dev/disk5': [],
      '/dev/disk6': ['type'],
      // The system is booted from a stick: drivelist calls that no system drive.
      '/dev/disk7': ['system', 'mounted'],
      '/dev/disk9': ['in-use'],
      '/dev/disk10': ['read-only', 'no-medium'],
    })
    const allowed = { unmount: true, expert: true, loopTargets: false }
    expect(verdicts(drives, allowed)['/dev/disk0']).toEqual(['system'])
  })

  test('says what will be lost, in containers too', () => {
    expect(only(drives, '/dev/disk0').volumes.map(({ label, usedBytes }) => [label, usedBytes])).toEqual([
      [null, null],
      [null, null],
      ['Macintosh HD', null],
      ['Data', 7],
    ])
    expect(only(drives, '/dev/disk4').mountpoints).toEqual(['/Volumes/PHOTOS'])
  })

  test('keeps the drive of a file that is needed, and not one whose name begins alike', () => {
    const verdictWith = (path: string): string[] =>
      only(macosDrives(list, infos, { paths: [path], files: [] }), '/dev/disk4').systemPaths
    expect(verdictWith('/Volumes/PHOTOS/disk.img')).toEqual(['/Volumes/PHOTOS'])
    expect(verdictWith('/Volumes/PHOTOS 2/disk.img')).toEqual([])
  })

  test('leaves out what it cannot judge, and takes what is not said for built in', () => {
    expect(macosDrives(list, [], nothing)).toEqual([])
    const silent = diskutilInfoSchema.parse({ DeviceIdentifier: 'disk5', TotalSize: 32 * GB })
    expect(verdicts(macosDrives(list, [silent], nothing))).toEqual({
      '/dev/disk5': ['not-removable', 'read-only'],
    })
  })
})

describe('a Windows machine', () => {
  const disk = (Number: number, more = {}): object => ({
    ...{ Number, Manufacturer: 'SanDisk ', Model: 'Ultra', FriendlyName: 'SanDisk Ultra' },
    ...{ SerialNumber: ' 4C53 ', UniqueId: 'USBSTOR\\x', Path: '\\\\?\\usbstor#x', Location: null },
    ...{ Size: 32 * GB, BusType: 'USB', IsSystem: false, IsBoot: false, BootFromDisk: false },
    ...{ IsClustered: false, IsReadOnly: false, ...more },
  })
  const guid = (digit: number): string => `\\\\?\\Volume{0000000${digit}-0000-0000-0000-000000000000}\\`
  const partition = (DiskNumber: number, AccessPaths: unknown, more = {}): object => ({
    ...{ DiskNumber, PartitionNumber: 1, Offset: 1048576, Size: 30 * GB, GptType: null, MbrType: 12 },
    ...{ AccessPaths, ...more },
  })
  const printed = {
    disks: [
      disk(0, { ...{ BusType: 'NVMe', Size: 512 * GB }, IsSystem: true, IsBoot: true }),
      disk(1),
      disk(2, { BusType: 12 }),
      disk(3, { BusType: 'SATA', Size: 64 * GB }),
      disk(4, { BusType: 'File Backed Virtual' }),
      disk(5, { BusType: 'MMC' }),
      disk(6),
      disk(7),
      disk(8, { Size: 0, IsReadOnly: null }),
      disk(9),
    ],
    partitions: [
      partition(0, ['C:\\', guid(1)]),
      partition(1, { value: ['E:\\', guid(2)], Count: 2 }),
      partition(2, null),
      partition(6, null, { GptType: '{E75CAF8F-F680-4CEE-AFA3-B001E56EFC2D}', MbrType: null }),
      partition(7, null, { MbrType: 0x42 }),
      partition(9, ['P:\\']),
    ],
    volumes: [
      {
        Path: guid(2),
        FileSystemLabel: 'PHOTOS',
        FileSystem: 'FAT32',
        Size: 30 * GB,
        SizeRemaining: 10 * GB,
      },
    ],
    systemPaths: ['C:\\Windows', 'C:\\pagefile.sys', 'P:\\pagefile.sys'],
  }
  const state = windowsStateSchema.parse(printed)
  const drives = windowsDrives(state, nothing)

  test('may write a stick and a card, and nothing that it runs from', () => {
    expect(verdicts(drives)).toEqual({
      '\\\\.\\PhysicalDrive0': ['system', 'not-removable', 'mounted', 'large'],
      '\\\\.\\PhysicalDrive1': ['mounted'],
      '\\\\.\\PhysicalDrive2': [],
      '\\\\.\\PhysicalDrive3': ['not-removable'],
      '\\\\.\\PhysicalDrive4': ['type', 'not-removable'],
      '\\\\.\\PhysicalDrive5': ['not-removable'],
      '\\\\.\\PhysicalDrive6': ['in-use'],
      '\\\\.\\PhysicalDrive7': ['in-use'],
      '\\\\.\\PhysicalDrive8': ['read-only', 'no-medium'],
      // A page file lies on it, though Windows was started elsewhere.
      '\\\\.\\PhysicalDrive9': ['system', 'mounted'],
    })
  })

  test('tells serial, name and what will be lost', () => {
    const stick = only(drives, '\\\\.\\PhysicalDrive1')
    expect(stick).toMatchObject({ vendor: 'SanDisk', model: 'Ultra', serial: '4C53', bus: 'usb' })
    expect(stick.volumes).toMatchObject([
      { label: 'PHOTOS', fileSystem: 'FAT32', usedBytes: 20 * GB, mountpoints: ['E:\\'] },
    ])
  })

  test('keeps the drive of a file that is needed, whatever the case of its letter', () => {
    const kept = windowsDrives(state, { paths: ['e:\\disk.img'], files: [] })
    expect(only(kept, '\\\\.\\PhysicalDrive1').systemPaths).toEqual(['e:\\disk.img'])
  })

  test('whose answer is not as it must be is not judged', () => {
    expect(windowsStateSchema.safeParse({ ...printed, partitions: 'none' }).success).toBe(false)
    expect(windowsStateSchema.safeParse({ ...printed, systemPaths: 7 }).success).toBe(false)
    const silent = windowsStateSchema.parse({ ...printed, disks: [{ Number: 1, Size: 32 * GB }] })
    expect(checkDrive(windowsDrives(silent, nothing)[0] as Drive, 4 * GB, plain)).toContain('system')
  })
})
