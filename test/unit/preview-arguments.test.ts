import { expect, test } from 'vitest'
import { qemuArguments, type MachineSettings } from '../../src/main/preview/arguments'
import { readDescriptor } from '../../src/main/preview/firmware'

const settings: MachineSettings = {
  firmware: { kind: 'bios' },
  accelerator: 'tcg',
  attachment: 'usb',
  memoryBytes: 512 * 1024 * 1024,
  processors: 2,
  overlayPath: '/tmp/a, b/overlay.qcow2',
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
    firmware: { kind: 'uefi', codePath: '/code.fd', variablesPath: '/tmp/x/variables.fd' },
  })
  expect(valuesOf(words, '-machine')).toEqual(['q35,pflash0=firmware,pflash1=variables'])
  const nodes = valuesOf(words, '-blockdev').map((value) => JSON.parse(value) as Record<string, unknown>)
  expect(nodes.slice(0, 2)).toMatchObject([
    { 'node-name': 'firmware', 'read-only': true, file: { filename: '/code.fd' } },
    { 'node-name': 'variables', 'read-only': false, file: { filename: '/tmp/x/variables.fd' } },
  ])
})

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
  expect(readDescriptor(JSON.stringify(descriptor))).toEqual({
    codePath: '/code.fd',
    variablesTemplatePath: '/vars.fd',
  })
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
  expect(readDescriptor(typeof value === 'string' ? value : JSON.stringify(value))).toBeNull()
})
