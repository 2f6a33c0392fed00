import { describe, expect, it } from 'vitest'
import { bootEdits, syslinuxConfiguration } from '../../src/main/convert/boot-files'
import { checkCommand } from '../../src/main/elevation/sudo'

describe('checkCommand', () => {
  it('lets a plain command through', () => {
    const words = [
      '/usr/bin/env',
      'ELECTRON_RUN_AS_NODE=1',
      '/opt/Slipway/slipway',
      '/tmp/slipway-aB3_x',
      '--mount',
    ]
    expect(checkCommand(words).ok).toBe(true)
  })

  it.each([
    '/tmp/a b',
    '/tmp/$(id)',
    '/tmp/`id`',
    "/tmp/'a'",
    '/tmp/"a"',
    '/tmp/a;b',
    '/tmp/a\nb',
    '/tmp/é',
    '',
  ])('refuses %j', (path) => {
    expect(checkCommand(['/usr/bin/env', path])).toEqual({
      ok: false,
      failure: { code: 'elevation-unsafe-path', facts: { path } },
    })
  })
})

describe('syslinuxConfiguration', () => {
  const entry = {
    rootUuid: '0f5d9b0e-5a3c-4f57-9c4f-3b8f2c1f4f11',
    kernelPath: '/vmlinuz',
    initramfsPath: '/initrd.img',
    kernelArguments: 'console=ttyS0',
    serialConsole: false,
    architecture: 'amd64',
  }

  it('boots the one entry from the root by its UUID', () => {
    expect(syslinuxConfiguration(entry)).toBe(
      [
        'DEFAULT linux',
        'TIMEOUT 10',
        'LABEL linux',
        '  KERNEL /vmlinuz',
        '  INITRD /initrd.img',
        '  APPEND root=UUID=0f5d9b0e-5a3c-4f57-9c4f-3b8f2c1f4f11 rootwait rw console=ttyS0',
        '',
      ].join('\n'),
    )
  })

  it('takes out a configuration that would be read first', () => {
    expect(bootEdits(entry).removed).toContain('boot/extlinux.conf')
  })
})
