import { expect, test } from 'vitest'
import { qemuArguments, type MachineSettings } from '../../src/main/preview/arguments'
import { readDescriptor } from '../../src/main/preview/firmware'

const settings: MachineSettings = {
  architecture: 'amd64',
  firmware: { kind: 'bios' },
  accelerator: 'tcg',
  attachment: 'usb',
  memoryBytes: 512 * 1024 * 1024,
  processors: 2,
  disk: { path: '/tmp/a, b/overlay.qcow2', format: 'qcow2', isOverlay: true },
  screenSocket: '/tmp/a, b/screen.sock',
  serialSocket: '/tmp/a, b/serial.sock',
  controlSocket: '/tmp/a, b/control.sock',
  ports: [],
  sandbox: true,
}

/** The values that follow an option. */
function valuesOf(words: string[], option: string): string[] {
  return words.filter((_, index) => words[index - 1] === option)
}

test('a plain machine', () => {
  const words = qemuArguments(settings)
  expect(valuesOf(words, '-machine')).toEqual(['q35'])
  expect(valuesOf(words, '-accel')).toEqual(['tcg,thread=multi'])
  expect(valuesOf(words, '-m')).toEqual(['512M'])
  expect(valuesOf(words, '-smp')).toEqual(['2'])
  expect(valuesOf(words, '-boot')).toEqual(['strict=on'])
  expect(valuesOf(words, '-device')).toContain('usb-storage,bus=usb.0,drive=disk,removable=on,bootindex=0')
  expect(valuesOf(words, '-sandbox')).toHaveLength(1)
  expect(qemuArguments({ ...settings, sandbox: false })).not.toContain('-sandbox')
})

test.each([
  ['sata', 'ide-hd,'],
  ['virtio', 'virtio-blk-pci,'],
  ['nvme', 'nvme,'],
] as const)('a disk attached as %s', (attachment, device) => {
  const devices = valuesOf(qemuArguments({ ...settings, attachment }), '-device')
  const disks = devices.filter((value) => value.includes('drive=disk'))
  expect(disks).toHaveLength(1)
  expect(disks[0]).toMatch(new RegExp(`^${device}`))
  expect(disks[0]).toMatch(/bootindex=0$/)
})

test.each([
  ['amd64', 'tcg', 'tcg,thread=multi', 'max,la57=off'],
  ['amd64', 'kvm', 'kvm', 'host'],
  ['amd64', 'hvf', 'hvf', 'host'],
  ['amd64', 'whpx', 'whpx,kernel-irqchip=off', 'Nehalem'],
  ['arm64', 'tcg', 'tcg,thread=multi', 'max,pauth-impdef=on'],
  ['arm64', 'hvf', 'hvf', 'host'],
  ['arm64', 'whpx', 'whpx', 'max'],
] as const)('%s by %s', (architecture, accelerator, words, processor) => {
  const all = qemuArguments({ ...settings, architecture, accelerator })
  expect([valuesOf(all, '-accel'), valuesOf(all, '-cpu')]).toEqual([[words], [processor]])
})

test('paths with commas, in both of the ways in which QEMU takes paths', () => {
  const words = qemuArguments(settings)
  expect(valuesOf(words, '-vnc')).toEqual(['unix:/tmp/a,, b/screen.sock'])
  expect(valuesOf(words, '-chardev')).toEqual([
    'socket,id=serial,path=/tmp/a,, b/serial.sock',
    'socket,id=control,path=/tmp/a,, b/control.sock',
  ])
  const [node] = valuesOf(words, '-blockdev').map(
    (value) => JSON.parse(value) as { file: { filename: string } },
  )
  expect(node?.file.filename).toBe('/tmp/a, b/overlay.qcow2')
})

test('screen, serial port and control listen on no TCP port; forwarded ports only on the loopback address', () => {
  const words = qemuArguments({ ...settings, ports: [{ hostPort: 8080, guestPort: 80 }] })
  const network = 'user,id=network,hostfwd=tcp:127.0.0.1:8080-:80'
  expect(valuesOf(words, '-netdev')).toEqual([network])
  expect(words.filter((word) => /tcp|server|:\d|websocket/.test(word))).toEqual([network])
})

test('UEFI: code read-only, variables writable', () => {
  const words = qemuArguments({
    ...settings,
    firmware: { kind: 'uefi', codePath: '/code.fd', variablesPath: '/tmp/x/variables.fd', secure: false },
  })
  expect(valuesOf(words, '-machine')).toEqual(['q35,pflash0=firmware,pflash1=variables'])
  const nodes = valuesOf(words, '-blockdev').map((value) => JSON.parse(value) as Record<string, unknown>)
  expect(nodes.slice(0, 2)).toMatchObject([
    { 'node-name': 'firmware', 'read-only': true, file: { filename: '/code.fd' } },
    { 'node-name': 'variables', 'read-only': false, file: { filename: '/tmp/x/variables.fd' } },
  ])
})

test('Secure Boot: System Management Mode alone may write the variables', () => {
  const words = qemuArguments({
    ...settings,
    firmware: { kind: 'uefi', codePath: '/code.fd', variablesPath: '/variables.fd', secure: true },
  })
  expect(valuesOf(words, '-machine')).toEqual(['q35,smm=on,pflash0=firmware,pflash1=variables'])
  expect(valuesOf(words, '-global')).toEqual([
    'driver=cfi.pflash01,property=secure,value=on',
    'ICH9-LPC.disable_s3=1',
  ])
})

test('a disk whose changes are kept is written through, and takes no short cut', () => {
  const disk = { path: '/a.img', format: 'raw', isOverlay: false } as const
  const [node] = valuesOf(qemuArguments({ ...settings, disk }), '-blockdev')
  expect(JSON.parse(node ?? '')).toEqual({
    driver: 'raw',
    'node-name': 'disk',
    'read-only': false,
    discard: 'unmap',
    file: { driver: 'file', filename: '/a.img' },
  })
})

test('an arm64 machine has a keyboard and a bus for each attachment', () => {
  const words = qemuArguments({
    ...settings,
    architecture: 'arm64',
    attachment: 'sata',
    firmware: { kind: 'uefi', codePath: '/code.fd', variablesPath: '/variables.fd', secure: false },
  })
  expect(valuesOf(words, '-machine')).toEqual(['virt,pflash0=firmware,pflash1=variables'])
  const devices = valuesOf(words, '-device')
  expect(devices).toEqual(
    expect.arrayContaining([
      'usb-kbd,bus=usb.0',
      'ich9-ahci,id=ide',
      'ide-hd,bus=ide.0,drive=disk,bootindex=0',
    ]),
  )
})

const plain = { architecture: 'amd64', secure: false } as const
const descriptor = {
  description: 'UEFI firmware for x86_64',
  'interface-types': ['uefi'],
  mapping: {
    device: 'flash',
    executable: { filename: '/code.fd', format: 'raw' },
    'nvram-template': { filename: '/vars.fd', format: 'raw' },
  },
  targets: [{ architecture: 'x86_64', machines: ['pc-i440fx-*', 'pc-q35-*'] }],
  features: ['acpi-s3'],
  tags: [],
}

test('a firmware descriptor', () => {
  const files = { codePath: '/code.fd', variablesTemplatePath: '/vars.fd' }
  expect(readDescriptor(JSON.stringify(descriptor), plain)).toEqual(files)
  const secure = { ...descriptor, features: ['requires-smm', 'secure-boot', 'enrolled-keys'] }
  expect(readDescriptor(JSON.stringify(secure), { ...plain, secure: true })).toEqual(files)
  const arm = { ...descriptor, targets: [{ architecture: 'aarch64', machines: ['virt-*'] }] }
  const armWish = { architecture: 'arm64', secure: false } as const
  expect(readDescriptor(JSON.stringify(arm), armWish)).toEqual(files)
  // Without System Management Mode, which Arm does not have; and not with one of its two features alone.
  const secureArm = { ...arm, features: ['secure-boot', 'enrolled-keys'] }
  expect(readDescriptor(JSON.stringify(secureArm), { ...armWish, secure: true })).toEqual(files)
  expect(readDescriptor(JSON.stringify(secureArm), armWish)).toBeNull()
  expect(readDescriptor(JSON.stringify({ ...arm, features: ['secure-boot'] }), armWish)).toBeNull()
})

test.each<[string, unknown]>([
  ['no JSON', '{'],
  ['Secure Boot with SMM', { ...descriptor, features: ['requires-smm', 'secure-boot'] }],
  ['enrolled keys', { ...descriptor, features: ['enrolled-keys'] }],
  ['another architecture', { ...descriptor, targets: [{ architecture: 'aarch64', machines: ['virt-*'] }] }],
  ['BIOS', { ...descriptor, 'interface-types': ['bios'] }],
  ['one file of ROM', { ...descriptor, mapping: { device: 'memory', filename: '/x.fd' } }],
  ['one file for both', { ...descriptor, mapping: { ...descriptor.mapping, mode: 'combined' } }],
])('a firmware descriptor that does not fit: %s', (_name, value) => {
  expect(readDescriptor(typeof value === 'string' ? value : JSON.stringify(value), plain)).toBeNull()
})
