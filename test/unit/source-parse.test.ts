import { describe, expect, it } from 'vitest'
import { tarReader } from '../../src/main/docker/archive'
import { kernelVersionOf, parseOsRelease, rootLoginOf, versionOfName } from '../../src/main/source/parse'

describe('parseOsRelease', () => {
  it('reads quoting of all kinds', () => {
    const text = `# a comment\nID=debian\nVERSION_ID="12"\nPRETTY_NAME='Debian \\n'\nNAME="a \\"b\\" \\$c"\n`
    expect(parseOsRelease(text)).toEqual({ id: 'debian', version: '12', prettyName: 'Debian \\n' })
  })
  it('needs an ID and no more', () => {
    expect(parseOsRelease('ID=arch')).toEqual({ id: 'arch', version: '', prettyName: 'arch' })
    expect(parseOsRelease('NAME=x\n\0\xff')).toBeNull()
  })
})

describe('rootLoginOf', () => {
  it.each([
    [null, 'unknown'],
    ['daemon:*:1::::::\n', 'unknown'],
    ['root::19000:0:99999:7:::\n', 'no-password'],
    ['root:*:19000::::::\n', 'locked'],
    ['root:!$y$j9T$a:19000::::::\n', 'locked'],
    ['daemon:*:::::::\nroot:$y$j9T$abc:19000::::::', 'password'],
  ])('%j is %s', (shadow, login) => {
    expect(rootLoginOf(shadow)).toBe(login)
  })
})

describe('kernels', () => {
  it.each([
    ['vmlinuz-6.1.0-18-amd64', '6.1.0-18-amd64'],
    ['initrd.img-6.1.0-18-amd64', '6.1.0-18-amd64'],
    ['initramfs-6.8.5-301.fc40.x86_64.img', '6.8.5-301.fc40.x86_64'],
    ['vmlinuz-lts', null],
    ['vmlinuz', null],
    ['vmlinuz-6.1\nAPPEND evil', null],
  ])('%j names %j', (name, version) => {
    expect(versionOfName(name)).toBe(version)
  })

  it('reads the version out of the setup header', () => {
    const kernel = Buffer.alloc(0x4000)
    kernel.write('HdrS', 0x202)
    kernel.writeUInt16LE(0x3000, 0x20e)
    kernel.write('6.12.1-lts (build@host) #1\0', 0x3200)
    expect(kernelVersionOf(kernel)).toBe('6.12.1-lts')
    // A pointer beyond what was read, and a file that is no kernel.
    kernel.writeUInt16LE(0xffff, 0x20e)
    expect(kernelVersionOf(kernel)).toBeNull()
    expect(kernelVersionOf(Buffer.alloc(0x4000))).toBeNull()
    expect(kernelVersionOf(Buffer.from('HdrS'))).toBeNull()
  })
})

describe('tarReader', () => {
  function header(name: string, size: number | string, type = '0'): Buffer {
    const block = Buffer.alloc(512)
    block.write(name)
    block.write(typeof size === 'string' ? size : `${size.toString(8).padStart(11, '0')}\0`, 124, 'latin1')
    block.write(type, 156)
    return block
  }
  function archive(...parts: Buffer[]): AsyncIterable<Buffer> {
    const whole = Buffer.concat(parts)
    async function* inPieces(): AsyncGenerator<Buffer> {
      // Pieces that fit no block.
      for (let at = 0; at < whole.length; at += 333) yield await Promise.resolve(whole.subarray(at, at + 333))
    }
    return inPieces()
  }
  const content = (text: string): Buffer => {
    const block = Buffer.alloc(512)
    block.write(text)
    return block
  }

  it('gives headers and content, and skips what was not read', async () => {
    const tar = tarReader(
      archive(header('a', 5), content('hello'), header('b', 700), content('x'), content(''), header('c', 0)),
      1e6,
    )
    expect(await tar.next()).toEqual({ name: 'a', sizeBytes: 5, type: '0' })
    expect((await tar.content(4)).toString()).toBe('hell')
    expect((await tar.next())?.name).toBe('b')
    expect((await tar.next())?.name).toBe('c')
    expect(await tar.next()).toBeNull()
  })

  it('ends at its limit, whatever a header claims', async () => {
    let pulled = 0
    async function* endless(): AsyncGenerator<Buffer> {
      yield header('huge', '77777777777\0')
      for (;;) yield await Promise.resolve(Buffer.alloc(65536, ++pulled))
    }
    const tar = tarReader(endless(), 1_000_000)
    expect((await tar.next())?.sizeBytes).toBe(0o77777777777)
    expect((await tar.content(2_000_000)).length).toBeLessThanOrEqual(1_000_000)
    expect(await tar.next()).toBeNull()
    expect(pulled).toBeLessThan(20)
  })

  it('survives headers of nonsense and a cut', async () => {
    const nonsense = Buffer.alloc(512, 0xff)
    const tar = tarReader(archive(nonsense), 1e6)
    expect((await tar.next())?.sizeBytes).toBeGreaterThan(0)
    expect(await tar.next()).toBeNull()
    expect(await tarReader(archive(Buffer.alloc(100, 1)), 1e6).next()).toBeNull()
    expect((await tarReader(archive(header('a', '        \0')), 1e6).next())?.sizeBytes).toBe(0)
  })
})
