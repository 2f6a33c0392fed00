import { mkdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ListedDrive } from '../../src/main/drives/watch'
import { usedRanges } from '../../src/main/flash/used-blocks'
import { openScope } from '../../src/main/jobs/scope'
import { startMachine } from '../../src/main/preview/machine'
import type { RefusalReason } from '../../src/shared/drive'
import { readerOfFile } from '../support/ext4-disk'
import { fingerprint, flipBit, hasBlankEnds, readAt, writeAt, type Stick } from '../support/sticks'
import { attempts, rogueOf, wordsOf, type Attempt } from '../support/sticks-attempts'
import {
  DEVICE_AT,
  CRAWLING,
  DISK_ON_STICK,
  FAST,
  FOLDER,
  inFolder,
  later,
  makeSticks,
  SHOWN_MOUNTPOINT,
  SLOW,
  others,
  plugged,
  root,
  STATES,
} from '../support/sticks-cast'
import { driveOf, logInToGuest, quote, type Ended, type Guest } from '../support/sticks-guest'
import { BOOT_TEXT, GUEST_DISK, makeRootStick, makeSourceDisk } from '../support/sticks-image'
import { startStickMachine, type StickMachine } from '../support/sticks-machine'

const MIB = 1024 * 1024

const scope = openScope()
let guest: Guest
let machine: StickMachine
/** The disk that the guest writes, and how many bytes of it must be written. */
let source: Buffer
let sourceRanges: { position: number; length: number }[]
const before: Record<string, string> = {}
/** The first MiB of the stick that the guest runs from. */
let rootStart: Buffer

const readStart = (path: string): Promise<Buffer> => readAt(path, 0, MIB)

beforeAll(async () => {
  await mkdir(FOLDER)
  scope.defer(() => rm(FOLDER, { recursive: true, force: true }))
  await makeSourceDisk(inFolder('source'), FOLDER)
  source = await readFile(inFolder('source'))
  sourceRanges = await usedRanges(await readerOfFile(inFolder('source')), source.length)
  await makeSticks()
  await makeRootStick(FOLDER, inFolder('source'), 'slipway-sticks-test:1')
  for (const { name, file } of others) before[name] = await fingerprint(file)
  machine = await startStickMachine(FOLDER, root, Object.values(plugged), Object.values(later))
  scope.defer(() => machine.stop())
  guest = await logInToGuest(machine)
  await guest.until('[ "$(systemctl show -P SubState slipway-boot)" != start ]')
  await guest.run('sync')
  rootStart = await readStart(root.file)
  await guest.run(STATES)
})
afterAll(() => scope.close())

/** Does something, after which no drive but these was written. */
async function writesOnly(sticks: readonly Stick[], work: () => Promise<void>): Promise<void> {
  const start = await machine.written()
  await work()
  const end = await machine.written()
  const allowed = new Set(['root', ...sticks.map(({ name }) => name)])
  const written = Object.keys(end).filter((name) => end[name] !== (start[name] ?? 0))
  expect(written.filter((name) => !allowed.has(name))).toEqual([])
}

test('what it runs from has grown to the whole stick at its first boot', async () => {
  const numbers = await guest.run(
    `systemctl show -P Result slipway-boot
     part=/sys/class/block/$(basename "$(findmnt -no SOURCE /)")
     echo $(($(cat $part/start) + $(cat $part/size))) $(cat $part/../size) $(cat $part/size)
     dumpe2fs -h /dev/$(basename $part) 2>/dev/null | sed -n 's/^Block \\(count\\|size\\): *//p'`,
  )
  const [result, end, drive, partition, blocks, blockBytes] = numbers.split(/\s+/)
  expect(result).toBe('success')
  // All but the last MiB at most, in sectors.
  expect(Number(drive) - Number(end)).toBeLessThan(2048)
  expect(Number(partition) * 512 - Number(blocks) * Number(blockBytes)).toBeLessThan(MIB)
})

test('lists all drives, and what speaks against each', async () => {
  const drives = await guest.drives()
  const reasons: Record<string, RefusalReason[]> = {
    ...{ root: ['system', 'mounted'], swap: ['system'], mapped: ['in-use'], looped: ['in-use'] },
    ...{ mounted: ['mounted'], locked: ['read-only'], large: ['large'], internal: ['not-removable'] },
  }
  expect(drives).toHaveLength(1 + Object.keys(plugged).length)
  for (const one of [root, ...Object.values(plugged)]) {
    const drive = driveOf(one, drives)
    expect([one.name, drive.reasons]).toEqual([one.name, reasons[one.name] ?? []])
    if (one.plug.kind === 'stick') expect(drive.serial).toBe(one.plug.serial)
  }
  const mounted = driveOf(plugged.mounted, drives)
  expect(mounted.volumes.map(({ label }) => label)).toEqual(['PHOTOS'])
  expect(mounted.mountpoints).toEqual([SHOWN_MOUNTPOINT])
  expect(new Set(drives.map(({ key }) => key)).size).toBe(drives.length)
  // Neither in the names nor in what a terminal shows is anything that drives a terminal.
  expect(driveOf(plugged.reader, drives).name).toBe('A"$(id) `;\\e [31m')
  const text = await guest.run('as-person slipway drives')
  // eslint-disable-next-line no-control-regex
  expect(text.replaceAll(/[\r\n]/g, '')).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e]/)
})

describe('no byte is written to a drive', () => {
  const answers = new Map<Attempt, { cli: Ended | null; helper: unknown }>()

  beforeAll(async () => {
    const drives = await guest.listed()
    const users = await guest.run(
      `at() { ${DEVICE_AT}; }; cd "$(dirname ${quote(DISK_ON_STICK)})"; sleep 10000 >/dev/null 2>&1 & echo $!
       hold() { perl -e 'sysopen(F, $ARGV[0], $ARGV[1]) or die; sleep 10000' "$@" >/dev/null 2>&1 & echo $!; }
       hold "$(at 3)" 128; hold "$(at 4)" 0`,
    )
    try {
      await writesOnly([], async () => {
        const jobs = attempts.map((attempt, index) => ({
          name: `refused-${index}`,
          words: wordsOf(attempt, driveOf(attempt.stick, drives)),
          attempt,
        }))
        const tried = jobs.filter(({ attempt }) => attempt.cli !== null)
        await guest.startInTurn(tried)
        const helper = await guest.rogue(
          attempts.map((attempt) => rogueOf(attempt, driveOf(attempt.stick, drives))),
        )
        for (const [index, attempt] of attempts.entries()) {
          const cli = attempt.cli === null ? null : await guest.ended(`refused-${index}`)
          answers.set(attempt, { cli, helper: helper[index] })
        }
      })
    } finally {
      await guest.run(`kill ${users.split(/\s+/).join(' ')}`)
    }
  })

  test.each(attempts.map((attempt) => [attempt.what, attempt] as const))('%s', (_, attempt) => {
    const answer = answers.get(attempt)
    expect(answer?.helper).toMatchObject({ ok: false, failure: attempt.helper })
    if (attempt.cli === null) return
    expect(answer?.cli?.answer).toMatchObject({ ok: false, failure: attempt.cli })
    expect(answer?.cli?.code).not.toBe(0)
  })

  test('and what was mounted still is', async () => {
    expect(await guest.run('grep -c /media /proc/self/mountinfo')).toBe('1')
  })
})

/** `flash DISK DEVICE --confirm NAME`. */
function flashWords(drive: ListedDrive, ...options: string[]): string[] {
  return ['flash', GUEST_DISK, drive.device, '--confirm', drive.nameToType, ...options]
}

/** What a stick holds after the disk was written to it: what it held before, and over it what the disk uses. */
function expectedContent(old: Buffer): Buffer {
  const content = Buffer.from(old)
  for (const { position, length } of sourceRanges) {
    source.copy(content, position, position, position + length)
  }
  // The end, where a backup partition table might be.
  return content.fill(0, content.length - MIB)
}

describe('the confirmed stick alone', () => {
  test('gets what the disk uses, and nothing else of it changes', async () => {
    const old = await readFile(plugged.target.file)
    const drive = await guest.find(plugged.target)
    await writesOnly([plugged.target], async () => {
      await guest.start(
        'target',
        flashWords({ ...drive, device: '/dev/disk/by-id/usb-QEMU_QEMU_HARDDISK_TARGET-0:0' }),
      )
      expect(await guest.ended('target')).toMatchObject({ code: 0, answer: { ok: true, verified: true } })
    })
    expect((await readFile(plugged.target.file)).equals(expectedContent(old))).toBe(true)
    // No more than the disk's used ranges, and the two ends that are blanked first.
    const used = sourceRanges.reduce((sum, { length }) => sum + length, 0)
    expect((await machine.written())['target']).toBeLessThanOrEqual(used + 2 * MIB)
    expect(used).toBeLessThan(source.length * 0.7)
    // The kernel knows the new partition at once.
    const noise = await guest.run(
      `udevadm settle; mount -o ro,noload ${drive.device}1 /mnt; sha256sum </mnt/noise; umount /mnt`,
    )
    expect(noise.split(' ')[0]).toBe(await fingerprint(join(FOLDER, 'tree/noise')))
  })

  test('is unmounted first where that was allowed, whatever its mountpoint is called', async () => {
    const old = await readFile(plugged.mounted.file)
    const drive = await guest.find(plugged.mounted)
    await writesOnly([plugged.mounted], async () => {
      await guest.start('mounted', flashWords(drive, '--unmount', '--no-verify'))
      expect(await guest.ended('mounted')).toMatchObject({ code: 0, answer: { ok: true, verified: false } })
    })
    expect(await guest.run('grep -c /media /proc/self/mountinfo || true')).toBe('0')
    expect((await readFile(plugged.mounted.file)).equals(expectedContent(old))).toBe(true)
  })

  test('is one of two that are alike in everything but their place, and is ejected', async () => {
    const old = await readFile(plugged.secondTwin.file)
    const drives = await guest.listed()
    const [first, second] = [driveOf(plugged.firstTwin, drives), driveOf(plugged.secondTwin, drives)]
    expect([first.name, first.serial, first.sizeBytes]).toEqual([
      second.name,
      second.serial,
      second.sizeBytes,
    ])
    await writesOnly([plugged.secondTwin], async () => {
      await guest.start('twin', flashWords(second, '--no-verify', '--eject'))
      expect(await guest.ended('twin')).toMatchObject({ code: 0 })
    })
    expect((await readFile(plugged.secondTwin.file)).equals(expectedContent(old))).toBe(true)
    // That one is gone, though it is still plugged in, and the other is not.
    const left = await guest.drives()
    expect(left.map(({ port }) => port)).not.toContain(second.port)
    expect(left.map(({ port }) => port)).toContain(first.port)
    // Pulled out and plugged in again it is back, under the lowest name that is free (Linux drivers/scsi/sd.c, sd_probe).
    await machine.pull(plugged.secondTwin)
    await machine.plug(plugged.secondTwin)
    await guest.until(`[ -e ${second.device} ]`)
  })

  test('is a card in its slot', async () => {
    const drive = await guest.find(plugged.card)
    const old = await readFile(plugged.card.file)
    await writesOnly([plugged.card], async () => {
      await guest.start('card', flashWords(drive, '--no-verify', '--eject'))
      const { code, output } = await guest.ended('card')
      expect(code).toBe(0)
      expect(output).toContain('as a card in its slot cannot be')
    })
    expect((await readFile(plugged.card.file)).equals(expectedContent(old))).toBe(true)
  })
})

describe('between confirmation and write', () => {
  /** Holds the helper back, as a password dialog does, and does something meanwhile; answers how the flash ended. */
  async function meanwhile(name: string, drive: ListedDrive, work: () => Promise<void>): Promise<Ended> {
    await guest.start(name, flashWords(drive))
    await guest.said(name, '"phase":"elevate"')
    await work()
    await guest.run('rm /run/hold')
    return guest.ended(name)
  }

  beforeAll(async () => {
    // The helper alone is started with this variable first.
    await guest.run(`mv /usr/bin/env /usr/bin/env-itself
cat >/usr/bin/env <<'END'
#!/bin/sh
while [ "$1" = ELECTRON_RUN_AS_NODE=1 ] && [ -e /run/hold ]; do sleep 0.1; done
exec /usr/bin/env-itself "$@"
END
chmod 755 /usr/bin/env`)
  })
  afterAll(() => guest.run('mv /usr/bin/env-itself /usr/bin/env'))

  test('another stick of the same kind comes into the port, and gets the name: it is not written', async () => {
    const drive = await guest.find(plugged.held)
    await guest.run('touch /run/hold')
    await writesOnly([], async () => {
      const ended = await meanwhile('held', drive, async () => {
        await machine.pull(plugged.held)
        await guest.until(`[ ! -e ${drive.device} ]`)
        await machine.plug(later.heldAgain)
        await guest.until(`[ -e ${drive.device} ]`)
        await guest.run('udevadm settle')
      })
      expect(ended).toMatchObject({
        code: 3,
        answer: { ok: false, failure: { code: 'drive-changed', facts: { field: 'diskSequence' } } },
      })
    })
  })

  test('another medium comes into the reader: it is not written', async () => {
    const drive = await guest.find(plugged.reader)
    await guest.run('touch /run/hold')
    await writesOnly([], async () => {
      const ended = await meanwhile('reader', drive, () =>
        machine.exchangeMedium(plugged.reader, later.medium),
      )
      expect(ended).toMatchObject({ code: 3, answer: { ok: false, failure: { code: 'drive-changed' } } })
    })
  })
})

describe('in the middle of the write', () => {
  /** Starts a flash and waits until a good part of it is written. */
  async function startAndWait(name: string, one: Stick): Promise<ListedDrive> {
    const drive = await guest.find(one)
    const start = (await machine.written())[one.name] ?? 0
    await guest.start(name, flashWords(drive))
    // The two ends that are blanked first, and as much again.
    await machine.hasWritten(one.name, start + 4 * MIB)
    return drive
  }
  // In brackets, so that no program finds its own words.
  const noHelper = '! grep -qs helper[.]cjs /proc/[0-9]*/cmdline'

  test('a second writer is turned away', async () => {
    await writesOnly([plugged.slow], async () => {
      const drive = await startAndWait('first', plugged.slow)
      await machine.setSpeed(plugged.slow, CRAWLING)
      await guest.start('second', flashWords(drive))
      expect(await guest.ended('second')).toMatchObject({
        code: 1,
        answer: { ok: false, failure: { code: 'drive-busy' } },
      })
      await machine.setSpeed(plugged.slow, FAST)
      expect(await guest.ended('first')).toMatchObject({ code: 0 })
      await machine.setSpeed(plugged.slow, SLOW)
    })
  })

  test('it is cancelled: the stick is blank', async () => {
    await writesOnly([plugged.slow], async () => {
      await startAndWait('cancelled', plugged.slow)
      await guest.run('kill -INT $(cat /run/cancelled.pid)')
      expect(await guest.ended('cancelled')).toMatchObject({ code: 130, answer: { cancelled: true } })
    })
    expect(await hasBlankEnds(plugged.slow.file)).toBe(true)
  })

  test('the helper is killed: the stick is blank', async () => {
    await writesOnly([plugged.slow], async () => {
      await startAndWait('helper-killed', plugged.slow)
      await guest.run(
        'for process in /proc/[0-9]*; do if grep -qs helper[.]cjs $process/cmdline; then kill -KILL ${process#/proc/}; fi; done',
      )
      const ended = await guest.ended('helper-killed')
      expect(ended).toMatchObject({ code: 1, answer: { ok: false, failure: { code: 'helper-lost' } } })
    })
    expect(await hasBlankEnds(plugged.slow.file)).toBe(true)
  })

  test('the program is killed: the helper ends, and the stick is blank', async () => {
    await writesOnly([plugged.slow], async () => {
      await startAndWait('killed', plugged.slow)
      await guest.run('kill -KILL $(cat /run/killed.pid)')
      await guest.until(noHelper)
      expect(await guest.ended('killed')).toMatchObject({ code: 137, answer: null })
    })
    expect(await hasBlankEnds(plugged.slow.file)).toBe(true)
  })

  test('the stick keeps something else than it was given: it is found out, and the stick is blank', async () => {
    await writesOnly([plugged.slow], async () => {
      const { file } = plugged.slow
      const superblock = source.subarray(MIB, MIB + 4096)
      await writeAt(file, MIB, Buffer.alloc(superblock.length))
      await startAndWait('lying', plugged.slow)
      // Chunks are written side by side, and again after a command that took too long: whenever it is there, it is lost.
      let isOver = false
      const lose = async (): Promise<void> => {
        while (!isOver) {
          if ((await readAt(file, MIB, superblock.length)).equals(superblock)) await flipBit(file, MIB)
          await sleep(50)
        }
      }
      const losing = lose()
      try {
        await machine.setSpeed(plugged.slow, FAST)
        expect(await guest.ended('lying')).toMatchObject({
          code: 1,
          answer: { ok: false, failure: { code: 'verify-mismatch', facts: { offset: MIB } } },
        })
      } finally {
        isOver = true
        await losing
      }
      await machine.setSpeed(plugged.slow, SLOW)
    })
    expect(await hasBlankEnds(plugged.slow.file)).toBe(true)
  })

  test('the stick fails: it is told where, and the stick is blank', async () => {
    const drive = await guest.find(plugged.failing)
    await writesOnly([plugged.failing], async () => {
      await guest.start('failing', flashWords(drive))
      const { code, answer } = await guest.ended('failing')
      expect([code, answer?.failure?.code]).toEqual([1, 'drive-io'])
    })
    expect(await hasBlankEnds(plugged.failing.file)).toBe(true)
  })

  test('the medium is exchanged: the new one is not written', async () => {
    await writesOnly([plugged.reader], async () => {
      await startAndWait('medium', plugged.reader)
      await machine.exchangeMedium(plugged.reader, later.lastMedium)
      const { code, answer } = await guest.ended('medium')
      expect(code).toBe(1)
      expect(['drive-gone', 'drive-io', 'verify-mismatch']).toContain(answer?.failure?.code)
    })
  })

  test('the stick is pulled out and another one comes into the port: that one is not written', async () => {
    await writesOnly([plugged.slow], async () => {
      await startAndWait('pulled', plugged.slow)
      await machine.pull(plugged.slow)
      await machine.plug(later.slowAgain)
      expect(await guest.ended('pulled')).toMatchObject({
        code: 1,
        answer: { ok: false, failure: { code: 'drive-gone' } },
      })
    })
    expect(await hasBlankEnds(plugged.slow.file)).toBe(true)
  })
})

describe('when all is over and the machine is off', () => {
  const written = new Set(['target', 'mounted', 'secondTwin', 'card', 'slow', 'failing', 'medium'])
  beforeAll(() => machine.stop())

  test('0 bytes have changed on any drive but the confirmed ones', async () => {
    for (const { name, file } of others) {
      const isSame = (await fingerprint(file)) === before[name]
      expect([name, isSame]).toEqual([name, !written.has(name)])
    }
  })

  test('and the stick that the machine ran from has kept its beginning', async () => {
    expect((await readStart(root.file)).equals(rootStart)).toBe(true)
  })

  test('the written stick boots', async () => {
    const started = await startMachine({
      diskPath: plugged.target.file,
      firmware: 'bios',
      accelerators: ['tcg'],
      signal: new AbortController().signal,
      log: () => undefined,
    })
    if (!started.ok) throw new Error(JSON.stringify(started.failure))
    scope.defer(async () => {
      await started.value.stop()
    })
    await expect
      .poll(
        async () => {
          const screen = await started.value.readScreenText()
          return screen.ok ? screen.value.rows.join('\n') : ''
        },
        { timeout: 60_000, interval: 500 },
      )
      .toContain(BOOT_TEXT)
  })
})
