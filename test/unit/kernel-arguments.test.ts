import { describe, expect, it } from 'vitest'
import { grubConfiguration } from '../../src/main/convert/direct/grub'
import { buildSettingsSchema } from '../../src/shared/image'
import { kernelWords } from '../../src/shared/kernel-arguments'

const { kernelArguments: schema } = buildSettingsSchema.shape

describe('words for the kernel', () => {
  it.each([
    ['', []],
    ['  quiet   console=tty0 console=ttyS0,115200 ', ['quiet', 'console=tty0', 'console=ttyS0,115200']],
    ['dyndbg="file x +p" quiet', ['dyndbg=file x +p', 'quiet']],
    ['"dyndbg=file x +p"', ['dyndbg=file x +p']],
    ['name="" other="a"', ['name=', 'other=a']],
    ['memmap=64M$0x10000000 a;b', ['memmap=64M$0x10000000', 'a;b']],
  ])('are taken apart as the kernel does it: %s', (text, words) => {
    expect(kernelWords(text)).toEqual(words)
    expect(schema.safeParse(text).success).toBe(true)
  })

  it.each([
    'dyndbg="file x',
    "name=it's",
    "name='a b'",
    'name=a\\x20b',
    'root="LABEL="x',
    'real_root=LABEL="a b"',
    'name="a"b',
    '"a"="b"',
    '""',
    'a\tb',
    'a\nb',
  ])('are refused when GRUB would hand over others: %j', (text) => {
    expect(kernelWords(text)).toBeNull()
    expect(schema.safeParse(text).success).toBe(false)
  })
})

describe('grubConfiguration', () => {
  const entry = {
    rootUuid: '0f5d9b0e-5a3c-4f57-9c4f-3b8f2c1f4f11',
    kernelPath: '/vmlinuz',
    initramfsPath: '/initrd.img',
    serialConsole: true,
    architecture: 'amd64',
  }

  it('keeps the signs of its language out of the words for the kernel', () => {
    const kernelArguments =
      'memmap=64M$0x10000000 dyndbg="file x +p; file y +p" a;b {c} #d &e|f <g> * console=tty0'
    const words =
      "root=UUID=0f5d9b0e-5a3c-4f57-9c4f-3b8f2c1f4f11 rootwait rw 'memmap=64M$0x10000000' " +
      "'dyndbg=file x +p; file y +p' 'a;b' '{c}' '#d' '&e|f' '<g>' '*' console=tty0"
    expect(grubConfiguration({ ...entry, kernelArguments })).toBe(
      [
        'set timeout=1',
        'search --no-floppy --fs-uuid --set=root 0f5d9b0e-5a3c-4f57-9c4f-3b8f2c1f4f11',
        "menuentry 'Linux' {",
        `  linux /vmlinuz ${words}`,
        '  initrd /initrd.img',
        '}',
        "menuentry 'Linux, serial console (S)' --hotkey=s {",
        `  linux /vmlinuz ${words} console=tty0 console=ttyS0,115200`,
        '  initrd /initrd.img',
        '}',
        '',
      ].join('\n'),
    )
  })
})
