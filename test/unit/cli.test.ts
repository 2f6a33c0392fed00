import { describe, expect, it } from 'vitest'
import { commandNames, parseCommand, parseSize, type Command } from '../../src/main/cli/arguments'
import { helpText } from '../../src/main/cli/help'
import { createReporter, exitCodeOf, plain } from '../../src/main/cli/reporter'
import { table } from '../../src/main/cli/table'
import { defaultBuildSettings } from '../../src/shared/image'
import type { JobSnapshot } from '../../src/shared/job'

function command(line: string): Command | string {
  const parsed = parseCommand(line.split(' '))
  return parsed.ok ? parsed.command : parsed.message
}

describe('parseCommand', () => {
  it('reads every command', () => {
    expect(command('images --json')).toEqual({ name: 'images', json: true })
    expect(command('build a:1 -o b.img --size 4G')).toEqual({
      name: 'build',
      json: false,
      source: { kind: 'image', image: 'a:1' },
      target: { kind: 'file', path: 'b.img' },
      settings: { ...defaultBuildSettings, sizeBytes: 4 * 1024 ** 3 },
      machineFile: null,
      dockerfile: null,
    })
    expect(command('build a:1 -o b.img --prove')).toMatchObject({ settings: { prove: true } })
    const preparation = (line: string): unknown => {
      const read = command(`build a:1 -o b.img ${line}`)
      return typeof read === 'object' && read.name === 'build' ? read.settings.preparation : read
    }
    expect(preparation('--prepare')).toEqual({ dockerfile: null, anew: false })
    expect(preparation('--prepare-anew')).toEqual({ dockerfile: null, anew: true })
    expect(preparation('--dockerfile own')).toEqual({ dockerfile: null, anew: false })
    expect(command('build a:1 -o b.img --dockerfile own')).toMatchObject({ dockerfile: 'own' })
    expect(command('build --archive a.tar --name b:1 -o b.img')).toMatchObject({
      source: { kind: 'archive', path: 'a.tar', image: 'b:1', platform: null },
    })
    expect(command('preview b.img --until-login --firmware uefi --timeout 9 --memory 2GB')).toEqual({
      name: 'preview',
      json: false,
      disk: 'b.img',
      choice: {
        firmware: 'uefi',
        attachment: 'usb',
        memoryBytes: 2_000_000_000,
        processors: null,
        keepChanges: false,
      },
      ports: [],
      untilLogin: true,
      picture: null,
      timeoutMilliseconds: 9000,
    })
    expect(command('preview b.img --port 80 --port 2222:22 --keep-changes')).toMatchObject({
      choice: { firmware: null, keepChanges: true },
      ports: [
        { hostPort: 0, guestPort: 80 },
        { hostPort: 2222, guestPort: 22 },
      ],
    })
    expect(
      command('prove b.img --firmware secure-boot --firmware bios --attachment nvme --processors 4'),
    ).toEqual({
      name: 'prove',
      json: false,
      disk: 'b.img',
      firmware: ['bios', 'secure-boot'],
      machine: { attachment: 'nvme', memoryBytes: null, processors: 4 },
      timeoutMilliseconds: 300_000,
    })
    expect(command('flash b.img /dev/sdb --confirm X --no-verify')).toEqual({
      name: 'flash',
      json: false,
      disk: 'b.img',
      choice: {
        devices: ['/dev/sdb'],
        confirmations: ['X'],
        deviceConfirmations: [],
        unmount: false,
        expert: false,
        verify: false,
        eject: false,
      },
      everything: false,
    })
    expect(command('build a --onto /dev/sdb --onto /dev/sdc --confirm X --eject --table gpt')).toMatchObject({
      source: { kind: 'image', image: 'a' },
      target: {
        kind: 'drives',
        choice: { devices: ['/dev/sdb', '/dev/sdc'], confirmations: ['X'], eject: true, verify: true },
      },
      settings: { table: 'gpt', format: 'raw', sizeBytes: null },
    })
    expect(
      command(
        'flash b.img /dev/sdb /dev/sdc --confirm X --confirm Y --expert --confirm-device sdc --everything',
      ),
    ).toMatchObject({
      choice: {
        devices: ['/dev/sdb', '/dev/sdc'],
        confirmations: ['X', 'Y'],
        deviceConfirmations: ['sdc'],
      },
      everything: true,
    })
  })

  it.each([
    ['', { name: 'help', topic: null }],
    ['--help', { name: 'help', topic: null }],
    ['build --help', { name: 'help', topic: 'build' }],
    ['help flash', { name: 'help', topic: 'flash' }],
    ['--version', { name: 'version' }],
  ])('reads %j', (line, expected) => {
    expect(parseCommand(line === '' ? [] : line.split(' '))).toEqual({ ok: true, command: expected })
  })

  it.each([
    ['frob', 'There is no command “frob”.'],
    ['build -o b.img', 'IMAGE is missing.'],
    ['build a --archive b.tar -o c', '“a” is one word too many.'],
    ['build a --name b -o c', '--name and --platform go with --archive.'],
    ['build --rootfs a --archive b -o c', '--rootfs and --archive do not go together.'],
    ['build a', 'Say where the disk is to be made: -o DISK, or --onto DEVICE.'],
    ['build a b -o c', '“b” is one word too many.'],
    ['build a -o b --size 4apples', '--size: “4apples” is not a size.'],
    ['build a -o b --engine magic', '--engine is kernel or direct, not “magic”.'],
    ['build a -o b --sise 4G', "Unknown option '--sise'"],
    ['build a -o', "Option '-o, --output <value>' argument missing"],
    ['flash a', 'DEVICE is missing.'],
    ['preview a --firmware coreboot', '--firmware is bios or uefi or secure-boot'],
    ['preview a --port http', '--port: “http” is not a port of the machine'],
    ['preview a --port 70000', '--port: “70000” is not a port of the machine'],
    ['build a -o b.gz --prove', '--prove does not go with a packed disk, which is not booted.'],
    ['build a -o b --prove --no-boot', '--prove does not go with --no-boot.'],
    ['build a --onto /dev/sdb --prove', '--prove does not go with --onto.'],
    ['preview a --keep-changes --until-login', '--keep-changes does not go with --until-login.'],
    ['prove', 'DISK is missing.'],
    ['prove a --attachment floppy', '--attachment is usb or sata or nvme or virtio'],
    ['prove a --processors 0', '--processors: “0” is not a number from 1 to 99.'],
    ['preview a --timeout 5', '--timeout goes with --until-login.'],
    ['preview a --until-login --timeout 0', '--timeout: “0” is not a number of seconds.'],
    ['images all', '“all” is one word too many.'],
  ])('says what is wrong with %j', (line, message) => {
    expect(command(line)).toContain(message)
  })
})

describe('parseSize', () => {
  it.each([
    ['1', 1],
    ['512B', 512],
    ['4G', 4 * 1024 ** 3],
    ['4g', 4 * 1024 ** 3],
    ['4GiB', 4 * 1024 ** 3],
    ['4GB', 4e9],
    ['1.5M', 1.5 * 1024 ** 2],
    ['2 TB', 2e12],
  ])('%s is %d bytes', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes)
  })
  it.each(['', '0', '-1', 'G', '4X', '1e9', '4G4', '0.0001K', '99999999999T', '４G'])(
    '%j is none',
    (text) => {
      expect(parseSize(text)).toBeNull()
    },
  )
})

class Sink {
  text = ''
  columns = 40
  constructor(readonly isTTY = false) {}
  write(text: string): void {
    this.text += text
  }
}

const running: JobSnapshot = {
  id: '1',
  kind: 'build',
  title: 'a.img',
  startedAt: 0,
  diskId: null,
  state: 'running',
  phase: 'copy',
  fraction: 0.5,
  bytesPerSecond: 1e8,
  remaining: 3000,
}

describe('createReporter', () => {
  it('keeps stdout for the one object and stderr for JSON lines', () => {
    const [out, err] = [new Sink(), new Sink(true)]
    const reporter = createReporter(true, out, err)
    reporter.say('hello')
    reporter.progress(running)
    reporter.log('a line')
    const code = reporter.fail({ code: 'drive-gone', facts: { device: '/dev/sdb' } })
    expect(code).toBe(1)
    const lines = err.text.trim().split('\n')
    expect(lines.map((line) => (JSON.parse(line) as { type: string }).type)).toEqual(['progress', 'log'])
    expect(JSON.parse(out.text)).toMatchObject({ ok: false, failure: { code: 'drive-gone' } })
  })

  it('draws one line on a terminal, not wider than it, and takes it away', () => {
    const [out, err] = [new Sink(), new Sink(true)]
    const reporter = createReporter(false, out, err)
    reporter.progress(running)
    expect(err.text.startsWith(`\r\u001b[K[${'#'.repeat(12)}${'-'.repeat(12)}] Copying`)).toBe(true)
    expect(err.text.length).toBeLessThanOrEqual(4 + 39)
    expect(reporter.succeed({}, 'Done.')).toBe(0)
    expect(err.text.endsWith('\r\u001b[K')).toBe(true)
    expect(out.text).toBe('Done.\n')
  })

  it('writes a plain line for each phase elsewhere', () => {
    const err = new Sink()
    const reporter = createReporter(false, new Sink(), err)
    reporter.progress(running)
    reporter.progress({ ...running, fraction: 0.51 })
    reporter.progress({ ...running, phase: 'check' })
    expect(err.text).toBe('Copying files\nChecking the disk\n')
  })

  it('lets no name drive the terminal', () => {
    const [out, err] = [new Sink(), new Sink()]
    const reporter = createReporter(false, out, err)
    reporter.fail({ code: 'image-gone', facts: { image: 'a\u001b]0;x\u0007\u202eb\r' } })
    reporter.succeed({}, 'a\u009b2J')
    // eslint-disable-next-line no-control-regex
    expect(out.text + err.text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u0080-\u009f\u202e]/)
    expect(plain('ä\n“”')).toBe('ä\n“”')
  })

  it('has its exit codes', () => {
    const reporter = createReporter(true, new Sink(), new Sink())
    expect(reporter.cancelled()).toBe(130)
    expect(reporter.usage('a', 'b')).toBe(2)
    expect(exitCodeOf({ code: 'elevation-refused', facts: {} })).toBe(3)
    expect(exitCodeOf({ code: 'drive-refused', facts: { device: 'a', reasons: [] } })).toBe(3)
    expect(exitCodeOf({ code: 'size-invalid', facts: { text: 'a' } })).toBe(2)
  })
})

describe('help', () => {
  it('has a page for each command and names the exit codes', () => {
    for (const name of commandNames) {
      expect(helpText(name)).toContain(`slipway ${name}`)
      expect(helpText(null)).toContain(`  slipway ${name}`)
    }
    expect(helpText(null)).toContain('130 cancelled')
  })
})

it('sets a table', () => {
  expect(
    table([
      ['a', 'bb', 'c'],
      ['aaa', 'b', ''],
    ]),
  ).toBe('a    bb  c\naaa  b')
  expect(table([])).toBe('')
})
