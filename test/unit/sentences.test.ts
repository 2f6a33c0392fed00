import { describe, expect, it } from 'vitest'
import { refusalReasons } from '../../src/shared/drive'
import { fail, failureSchema, type FailureCode, type FailureFacts } from '../../src/shared/failure'
import { jobPhases } from '../../src/shared/job'
import { formatAge, formatBytes, formatDuration } from '../../src/shared/amounts'
import { describeFailure, describeReason, phaseTitle } from '../../src/shared/sentences'

/** One example of each failure; the type demands that none is left out. */
const examples: { [C in FailureCode]: FailureFacts<C> } = {
  'engine-absent': { tried: ['/var/run/docker.sock'] },
  'engine-stopped': { socket: '/var/run/docker.sock' },
  'engine-forbidden': { socket: '/var/run/docker.sock' },
  'engine-lost': { detail: 'reset' },
  'engine-refused': { detail: 'no' },
  'image-gone': { image: 'a:1' },
  'archive-missing': { path: '/a/b.tar', detail: 'there is no such file' },
  'archive-invalid': { path: '/a/b.tar', reason: 'it holds no image' },
  'archive-digest': { path: '/a/b.tar', part: 'x/layer.tar', expected: 'aa', found: 'bb' },
  'archive-no-room': { path: '/a/b.tar.gz', folder: '/var/tmp', neededBytes: 2e9, freeBytes: 1e9 },
  'archive-choice': { path: '/a/b.tar', asked: '', images: ['a:1', 'b:2'] },
  'image-architecture': { image: 'a:1', architecture: 's390x', supported: 'amd64 and arm64' },
  'kernel-missing': { image: 'a:1' },
  'initramfs-missing': { image: 'a:1' },
  'init-missing': { image: 'a:1' },
  'recipe-missing': { image: 'a:1', distribution: 'Plan 9' },
  'preparation-failed': {
    image: 'a:1',
    reason: 'step',
    step: 'RUN apt-get update',
    output: 'E: no\nreturned 100',
  },
  'setting-unmet': { image: 'a:1', setting: 'ssh' },
  'setting-unavailable': { image: 'a:1', setting: 'locale' },
  'init-unknown': { image: 'a:1', path: '/sbin/init' },
  'setting-invalid': { setting: 'network', reason: 'it has no address' },
  'tar-invalid': { offset: 512, reason: 'a wrong checksum' },
  'size-too-small': { sizeBytes: 1e9, neededBytes: 1_231_000_000 },
  'size-too-large': { sizeBytes: 3e12, limitBytes: 2e12 },
  'size-invalid': { text: '4 apples' },
  'output-exists': { path: '/a/b.img' },
  'output-folder-missing': { path: '/a' },
  'output-forbidden': { path: '/a' },
  'output-file-system': { path: '/a/b.img', fileSystem: 'FAT32', limitBytes: 4294967295 },
  'output-too-large': { path: '/a/b.img' },
  'no-space': { path: '/a/b.img', neededBytes: 2e9, freeBytes: 1e9 },
  'disk-missing': { path: '/a/b.img' },
  'disk-changed': { path: '/a/b.img' },
  'disk-not-bootable': { path: '/a/b.img' },
  'disk-damaged': { path: '/home/ada/a.img.gz', detail: 'unexpected end of file' },
  'disk-check-failed': { output: 'inode 12' },
  'tool-missing': { tool: 'extlinux', package: 'extlinux' },
  'tool-failed': { tool: 'tar', exitCode: 2, output: 'broken' },
  'elevation-refused': {},
  'elevation-no-agent': {},
  'elevation-missing': {},
  'elevation-unsafe-path': { path: '/a b' },
  'elevation-unprotected': { path: '/home/ada/Slipway' },
  'helper-lost': { detail: 'killed' },
  'helper-protocol': { detail: 'unknown message' },
  'write-declined': {},
  'drive-gone': { device: '/dev/sdb' },
  'drive-changed': { device: '/dev/sdb', field: 'serial', confirmed: 'A', found: 'B' },
  'drive-refused': { device: '/dev/sdb', reasons: ['system', 'mounted'] },
  'drive-busy': { device: '/dev/sdb', detail: 'umount: /media/a: target is busy.' },
  'drive-io': { device: '/dev/sdb', offset: 4096, detail: 'EIO' },
  'verify-mismatch': { device: '/dev/sdb', offset: 4096, length: 512 },
  'drive-too-small': { device: '/dev/sdb', sizeBytes: 4_000_000_000 },
  'drives-failed': { failed: ['/dev/sdb'], total: 3 },
  'confirmation-wrong': { expected: 'SanDisk Ultra' },
  'preview-failed': { detail: 'QEMU ended' },
  'preview-no-room': { folder: '/tmp', freeBytes: 1e9, changesKept: false },
  'proof-failed': {
    path: '/a/b.img',
    boots: [
      { firmware: 'bios', outcome: 'login' },
      { firmware: 'uefi', outcome: 'kernel-panic' },
    ],
    untried: [],
  },
  'proof-incomplete': {
    path: '/a/b.img',
    boots: [
      { firmware: 'bios', outcome: 'login' },
      { firmware: 'uefi', outcome: 'picture' },
    ],
    untried: [{ firmware: 'secure-boot', tool: 'OVMF', package: 'ovmf' }],
  },
  'disk-without-boot': { path: '/a/b.img' },
  'not-found': { what: 'disk' },
  busy: { what: 'file:/a/b.img' },
  'not-supported': { what: 'the direct engine' },
  'clean-up-failed': { detail: 'umount' },
  internal: { detail: 'TypeError' },
}

describe('describeFailure', () => {
  for (const [code, facts] of Object.entries(examples)) {
    it(`has whole sentences for ${code}`, () => {
      const failure = failureSchema.parse({ code, facts })
      const text = describeFailure(failure)
      for (const part of [text.happened, text.kept]) expect(part).toMatch(/^[“A-Z0-9/].*[a-z0-9.”"]$/s)
      if (code !== 'not-supported') expect(text.remedy).not.toBe('')
      const all = `${text.happened} ${text.kept} ${text.remedy}`
      expect(all).not.toMatch(/undefined|\[object|NaN|\.\./)
    })
  }

  it('names the facts', () => {
    const facts = examples['drive-changed']
    expect(describeFailure({ code: 'drive-changed', facts }).happened).toBe(
      '/dev/sdb is not the drive that was confirmed: its serial number was “A” and is “B”.',
    )
    for (const what of ['file:/a/b.img', 'proof:/a/b.img']) {
      expect(describeFailure({ code: 'busy', facts: { what } }).happened).toContain(' /a/b.img.')
    }
    expect(describeFailure({ code: 'drive-refused', facts: examples['drive-refused'] }).happened).toContain(
      'mounted',
    )
  })

  it('speaks of other drives where there are others', () => {
    const kept = (total: number): string =>
      describeFailure({ code: 'drives-failed', facts: { failed: ['/dev/sdb', '/dev/sdc'], total } }).kept
    expect(kept(3)).toContain('The others are written.')
    expect(kept(2)).not.toContain('others')
  })

  it('says of a disk to which a machine wrote that it is changed', () => {
    for (const changesKept of [true, false]) {
      const { kept } = describeFailure(
        fail('preview-no-room', { folder: '/a', freeBytes: 0, changesKept }).failure,
      )
      expect(kept === 'The disk is unchanged.').toBe(!changesKept)
    }
    const failed = fail('preview-failed', { detail: 'QEMU ended', changesKept: true })
    expect(describeFailure(failed.failure).kept).toBe('What the machine wrote until then is in the disk.')
  })

  it('never asks for less than is needed', () => {
    const { remedy } = describeFailure({ code: 'size-too-small', facts: examples['size-too-small'] })
    expect(remedy).toContain('1.24')
  })
})

describe('words', () => {
  it.each([
    [59_999, 'just now'],
    [60_000, '1 minute ago'],
    [7_300_000, '2 hours ago'],
    [86_400_000 * 40, '1 month ago'],
    [86_400_000 * 800, '2 years ago'],
  ])('says %d ms as %s', (milliseconds, text) => {
    expect(formatAge(milliseconds)).toBe(text)
  })

  it('has a title for every phase of every job', () => {
    for (const phases of Object.values(jobPhases)) {
      for (const phase of Object.keys(phases)) expect(phaseTitle(phase)).toMatch(/^[A-Z]/)
    }
    expect(phaseTitle('toString')).toBe('toString')
  })

  it('has a sentence for every refusal', () => {
    for (const reason of refusalReasons) expect(describeReason(reason)).toMatch(/^[A-Z].*\.$/)
    expect(describeReason('something else')).toBe('something else')
  })

  it.each([
    [0, '0 bytes'],
    [1, '1 byte'],
    [999, '999 bytes'],
    [1500, '1.5 kB'],
    [999_999, '1 MB'],
    [1_068_370_483, '1.07 GB'],
    [31_914_983_424, '31.9 GB'],
    [2e12, '2 TB'],
  ])('writes %d bytes as %s', (bytes, text) => {
    expect(formatBytes(bytes, 'nearest', 'en')).toBe(text)
  })

  it('rounds up where asked', () => {
    expect(formatBytes(1_000_000_001, 'up', 'en')).toBe('1.01 GB')
    expect(formatBytes(999_500_001, 'up', 'en')).toBe('1 GB')
  })

  it.each([
    [10, 'under 1 s'],
    [3400, '3 s'],
    [59_700, '1 min'],
    [125_000, '2 min 5 s'],
    [3_840_000, '1 h 4 min'],
  ])('says %d ms as %s', (milliseconds, text) => {
    expect(formatDuration(milliseconds)).toBe(text)
  })
})
