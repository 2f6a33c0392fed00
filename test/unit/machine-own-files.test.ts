import { describe, expect, it } from 'vitest'
import { fstab, hostFiles, ownHostname } from '../../src/main/convert/machine/own-files'
import type { AddedEntry } from '../../src/main/convert/edits'

const file = (text: string, mode = 0o644): { text: string; mode: number } => ({ text, mode })
const textOf = (entry: AddedEntry | undefined): string => Buffer.from(entry?.content ?? []).toString('latin1')

describe('the name that an image gives itself', () => {
  it.each([
    ['kiosk\n', 'kiosk'],
    ['# a comment\n\n  kiosk.example.org \n', 'kiosk.example.org'],
    ['', null],
    ['\n\n', null],
    ['localhost\n', null],
    ['not a name\n', null],
    ['-x', null],
    ['a'.repeat(65), null],
  ])('%j is %j', (text, name) => {
    expect(ownHostname(file(text))).toBe(name)
  })
})

describe('hosts', () => {
  const hosts = (own: string | null): AddedEntry | undefined =>
    hostFiles({ hostname: null, hosts: own === null ? null : file(own) }, 'kiosk').find(
      ({ path }) => path === 'etc/hosts',
    )

  it.each([null, '', '\n\n'])('are made where the image has none: %j', (own) => {
    expect(textOf(hosts(own))).toBe(
      '127.0.0.1 localhost\n127.0.1.1 kiosk\n::1 localhost ip6-localhost ip6-loopback\n',
    )
  })

  it('keep what the image says, bytes and all, and get what is missing', () => {
    const own = '127.0.0.1 localhost\n10.0.0.9\tdatabase # kiosk\n::1 caf\xe9\n'
    expect(textOf(hosts(own))).toBe(`${own}127.0.1.1 kiosk\n`)
  })

  it('stay untouched where nothing is missing', () => {
    expect(hosts('127.0.0.1 localhost kiosk\n::1 localhost\n')).toBeUndefined()
  })
})

describe('fstab', () => {
  const root = 'UUID=1-2 / ext4 errors=remount-ro 0 1\n'

  it('has the disk’s root, and keeps all else that the image mounts', () => {
    const own = [
      '# /etc/fstab: static file system information',
      'UUID=old / btrfs subvol=@ 0 0',
      'UUID=old\t/boot  ext4 defaults 0 2',
      'UUID=ABCD /boot/efi vfat umask=0077 0 1',
      'tmpfs /var/tmp tmpfs size=1G 0 0',
      '#/dev/sdb1 / ext4',
      '/swapfile none swap sw 0 0',
      'LABEL=data /srv\\040x ext4 nofail 0 2',
    ]
    expect(textOf(fstab(file(own.join('\n')), '1-2'))).toBe(
      `${root}${[own[0], ...own.slice(4)].join('\n')}\n`,
    )
  })

  it('is the root’s line alone where nobody filled it in', () => {
    for (const own of [null, file(''), file('# UNCONFIGURED FSTAB FOR BASE SYSTEM\n')]) {
      expect(textOf(fstab(own, '1-2'))).toBe(root)
    }
  })
})
