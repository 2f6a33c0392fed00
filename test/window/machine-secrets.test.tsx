import { describe, expect, it } from 'vitest'
import { randomSalt, sha512crypt } from '../../src/renderer/features/machine/sha512crypt'
import { passphraseError, passwordError } from '../../src/renderer/features/machine/rules'
import { parsePublicKey, readPublicKeys } from '../../src/renderer/features/machine/public-key'
import { wifiKey } from '../../src/renderer/features/machine/wifi-key'
import { machineSettingsSchema, plainMachineSettings } from '../../src/shared/machine'
import { publicKey, publicKeyFingerprint } from './support/samples'

describe('a password', () => {
  // The vectors of the specification: Drepper, "Unix crypt using SHA-256 and SHA-512", its test program.
  it.each([
    [
      'Hello world!',
      'saltstring',
      '$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1',
    ],
    [
      'Hello world!',
      'rounds=10000$saltstringsaltstring',
      '$6$rounds=10000$saltstringsaltst$OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/y3RnOaw5v.',
    ],
    [
      'This is just a test',
      'rounds=5000$toolongsaltstring',
      '$6$rounds=5000$toolongsaltstrin$lQ8jolhgVRVhY4b5pZKaysCLi0QBxGoNeKQzQ3glMhwllF7oGDZxUhx1yxdYcz/e1JSbq3y6JMxxl8audkUEm0',
    ],
    [
      'a very much longer text to encrypt.  This one even stretches over morethan one line.',
      'rounds=1400$anotherlongsaltstring',
      '$6$rounds=1400$anotherlongsalts$POfYwTEok97VWcjxIiSOjiykti.o/pQs.wPvMxQ6Fm7I6IoYN3CmLs66x9t0oSwbtEW7o7UmJEiDwGqd8p4ur1',
    ],
    [
      'we have a short salt string but not a short password',
      'rounds=77777$short',
      '$6$rounds=77777$short$WuQyW2YR.hBNpjjRhpYD/ifIw05xdfeEyQoMxIXbkvr0gge1a1x3yRULJ5CCaUeOxFmtlcGZelFl5CxtgfiAc0',
    ],
    [
      'a short string',
      'rounds=123456$asaltof16chars..',
      '$6$rounds=123456$asaltof16chars..$BtCwjqMJGx5hrJhZywWvt0RLE8uZ4oPwcelCjmw2kSYu.Ec6ycULevoBK25fs2xXgMNrCzIMVcgEJAstJeonj1',
    ],
    [
      'the minimum number is still observed',
      'rounds=10$roundstoolow',
      '$6$rounds=1000$roundstoolow$kUMsbe306n21p9R.FRkW3IGn.S9NPN0x50YhH1xhLsPuWGsUSklZt58jaTfF4ZEQpyUNGc0dqbpBYYBaHHrsX.',
    ],
  ])('%j with %j', async (password, salt, hash) => {
    expect(await sha512crypt(password, salt)).toBe(hash)
  })

  it('is hashed while the window goes on answering', async () => {
    let turns = 0
    const timer = setInterval(() => turns++, 1)
    await sha512crypt('x'.repeat(511), randomSalt())
    clearInterval(timer)
    expect(turns).toBeGreaterThan(3)
  })

  it('becomes a hash that the contract takes, another one each time', async () => {
    const hashes = await Promise.all([1, 2].map(() => sha512crypt('correct horse', randomSalt())))
    expect(new Set(hashes).size).toBe(2)
    for (const hash of hashes) {
      expect(
        machineSettingsSchema.safeParse({ ...plainMachineSettings, rootPassword: { kind: 'hash', hash } })
          .success,
      ).toBe(true)
    }
  })

  it('is refused in words when no login would take it', () => {
    expect(passwordError('')).toBe('Type a password.')
    expect(passwordError('x'.repeat(1000))).toContain('This password has 1000 characters.')
    expect(passwordError('ä'.repeat(256))).toContain('511 bytes at most')
    expect(passwordError('two\nlines')).toContain('cannot be typed at a login')
    expect(passwordError('x'.repeat(511))).toBeNull()
    expect(passwordError('Grüße, 世界')).toBeNull()
  })
})

describe('a passphrase for Wi-Fi', () => {
  // IEEE 802.11-2020, J.4.2.
  it.each([
    ['IEEE', 'password', 'f42c6fc52df0ebef9ebb4b90b38a5f902e83fe1b135a70e23aed762e9710a12e'],
    ['ThisIsASSID', 'ThisIsAPassword', '0dc0d6eb90555ed6419756b9a15ec3e3209b63df707dd508d14581f8982721af'],
    [
      'ZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZ',
      'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',
      'becb93866bb8c3832cb777c2f559807c8c59afcb6eae734885001300a981cc62',
    ],
  ])('%j with %j', async (name, passphrase, key) => {
    expect(await wifiKey(name, passphrase)).toBe(key)
  })

  it('may be the key itself', async () => {
    expect(await wifiKey('any', 'AB'.repeat(32))).toBe('ab'.repeat(32))
  })

  it('is refused in words', () => {
    expect(passphraseError('short')).toContain('8 to 63 characters; this one has 5')
    expect(passphraseError('x'.repeat(64))).toContain('this one has 64')
    expect(passphraseError('Gr\u00fc\u00dfe12345')).toContain('English keyboard')
    expect(passphraseError('correct horse')).toBeNull()
  })
})

describe('a public key', () => {
  it('is shown by its comment and the fingerprint that ssh-keygen writes', () => {
    expect(parsePublicKey(`  ${publicKey}\n`)).toEqual({
      line: publicKey,
      type: 'ed25519',
      comment: 'ada@workshop',
      fingerprint: publicKeyFingerprint,
    })
  })

  it('is refused in words when it is a private one, cut off or something else', () => {
    expect(reasonOf('-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blbn')).toContain('This is a private key.')
    expect(reasonOf(publicKey.replace(/.{8} ada.*$/, ''))).toContain('not a public key')
    expect(reasonOf('ssh-rsa AAAAC3NzaC1lZDI1NTE5')).toContain('not a public key')
    expect(reasonOf('GIF89a\u0000\u0001')).toContain('begins with a word such as ssh-ed25519')
    expect(reasonOf('')).toContain('not a public key')
    expect(reasonOf(`${publicKey}\nhello`)).toContain('Line 2 is not a public key')
    expect(reasonOf(`command="reboot" ${publicKey}`)).toContain('not a public key')
  })

  it('may be one of several lines with comments between', () => {
    const read = readPublicKeys(`# mine\n${publicKey}\r\n\n${publicKey} again\n`)
    expect(read.ok && read.keys.map(({ comment }) => comment)).toEqual(['ada@workshop', 'ada@workshop again'])
  })
})

function reasonOf(text: string): string {
  const read = readPublicKeys(text)
  return read.ok ? 'it was taken' : read.reason
}
