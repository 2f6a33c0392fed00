import { expect, test, vi } from 'vitest'
import { judgeRows, rowsOfSerial, watchBoot } from '../../src/main/preview/boot-watch'
import type { Machine, MachineEnding } from '../../src/main/preview/machine'
import type { BootOutcome } from '../../src/shared/proof'

test.each<[BootOutcome | null, string[]]>([
  ['login', ['Debian GNU/Linux 12 localhost tty1', '', 'localhost login: ']],
  ['login', ['Welcome to Alpine Linux 3.20', 'Kernel 6.6', '', 'my-host.local login:']],
  ['login', ['localhost login: [   61.204871] random: crng init done']],
  [null, ['Last login: Mon Nov 23 12:00:00 UTC 2026 on tty1']],
  [null, ['[  OK  ] Started getty@tty1.service - Getty on tty1.', 'a sentence about login: none']],
  ['target-reached', ['[  OK  ] Reached target graphical.target - Graphical Interface.', '']],
  ['target-reached', ['[  OK  ] Reached target Multi-User System.']],
  [
    'kernel-panic',
    ['---[ end Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0) ]---'],
  ],
  ['kernel-panic', ['localhost login:', '[   70.1] Kernel panic - not syncing: Attempted to kill init!']],
  ['initramfs-shell', ['ALERT!  UUID=1 does not exist.  Dropping to a shell!', '', '(initramfs) ']],
  [null, ['(initramfs) exit', 'Begin: Running /scripts/local-block ... done.']],
  [
    'emergency-shell',
    ['You are in emergency mode. After logging in, type "journalctl -xb"', 'Press Enter for maintenance'],
  ],
  ['emergency-shell', ['Press Enter for maintenance', '(or press Control-D to continue): ']],
  ['boot-loader-prompt', ['Could not find kernel image: linux', 'boot: ']],
  ['boot-loader-prompt', ['error: no such partition.', 'Entering rescue mode...', 'grub rescue> ']],
  [
    'no-bootable-device',
    ['Booting from Hard Disk...', 'Boot failed: not a bootable disk', '', 'No bootable device.'],
  ],
  ['no-bootable-device', ['Missing operating system.']],
  ['no-bootable-device', ['UEFI Interactive Shell v2.2', 'Shell> ']],
  [
    'secure-boot-refused',
    ['BdsDxe: failed to load Boot0001 "UEFI QEMU QEMU USB HARDDRIVE" from Pci: Access Denied'],
  ],
  ['secure-boot-refused', ['error: bad shim signature.', 'error: you need to load the kernel first.']],
  ['secure-boot-refused', ['ERROR', 'Verification failed: (0x1A) Security Violation']],
  [null, ['SeaBIOS (version 1.16.2)', 'Booting from Hard Disk...']],
  ['initramfs-shell', ['dracut:/#\ufffd']],
  [null, []],
])('%s: %j', (outcome, rows) => {
  expect(judgeRows(rows)).toBe(outcome)
})

test('serial output without its control sequences', () => {
  expect(
    rowsOfSerial(
      '\u001b[2J\u001b[01;01HBdsDxe: starting\r\n\u001b[0;32m  OK  \u001b[0m\rsecond\r\n\u001b(Bthird',
    ),
  ).toEqual(['BdsDxe: starting', 'second', 'third'])
})

/** A machine whose screens come one after the other, the last one for ever. */
function pretend(
  screens: string[][],
  serial = '',
): {
  machine: Pick<Machine, 'onSerial' | 'onRestart' | 'readScreenText' | 'ended'>
  end: (ending: MachineEnding) => void
  restart: () => void
} {
  let look = 0
  let end: (ending: MachineEnding) => void = () => undefined
  const ended = new Promise<MachineEnding>((resolve) => (end = resolve))
  let restart = (): void => undefined
  return {
    machine: {
      onSerial: (listener) => {
        listener(Buffer.from(serial))
        return () => undefined
      },
      onRestart: (listener) => {
        restart = listener
        return () => undefined
      },
      readScreenText: () => {
        const value = screens[Math.min(look++, screens.length - 1)] ?? []
        return Promise.resolve({ ok: true, value })
      },
      ended,
    },
    end: (how) => end(how),
    restart: () => restart(),
  }
}

const limits = { timeoutMilliseconds: 60_000, signal: new AbortController().signal }

/** Runs timers until the promise is settled. */
async function settled<T>(promise: Promise<T>): Promise<T> {
  const state = { settled: false }
  const end = (): void => void (state.settled = true)
  promise.then(end, end)
  while (!state.settled) await vi.advanceTimersByTimeAsync(500)
  return promise
}

test('verdicts', async () => {
  vi.useFakeTimers()
  try {
    const login = pretend([[], ['SeaBIOS'], ['[FAILED] Failed to start apache2.service.'], ['a login:']])
    expect(await settled(watchBoot(login.machine, limits))).toMatchObject({
      outcome: 'login',
      seenOn: 'screen',
      milliseconds: 6000,
      lines: ['a login:'],
      failedUnits: ['apache2.service'],
    })
    // A prompt of the boot loader that goes away by itself is none.
    const passing = pretend([['boot:'], ['boot:'], ['Loading'], ['a login:']])
    expect(await settled(watchBoot(passing.machine, limits))).toMatchObject({ outcome: 'login' })
    const waiting = pretend([['boot:']])
    expect(await settled(watchBoot(waiting.machine, limits))).toMatchObject({
      outcome: 'boot-loader-prompt',
      milliseconds: 10_000,
    })
    const serial = pretend([['SeaBIOS']], 'Debian\r\na login: ')
    expect(await settled(watchBoot(serial.machine, limits))).toMatchObject({
      outcome: 'login',
      seenOn: 'serial',
    })
    const hanging = pretend([['Loading']])
    expect(await settled(watchBoot(hanging.machine, limits))).toMatchObject({
      outcome: 'hang',
      seenOn: null,
      lines: ['Loading'],
    })
    const dying = pretend([['Loading']])
    const verdict = watchBoot(dying.machine, limits)
    await vi.advanceTimersByTimeAsync(2500)
    dying.end({ reason: 'powered-off' })
    expect(await settled(verdict)).toMatchObject({ outcome: 'ended', ending: { reason: 'powered-off' } })
  } finally {
    vi.useRealTimers()
  }
})

test('what was on the serial port before a restart does not count', async () => {
  const { machine, restart } = pretend([['SeaBIOS']], 'Shell> ')
  const abort = new AbortController()
  const verdict = watchBoot(machine, { timeoutMilliseconds: 10, signal: abort.signal })
  restart()
  expect(await verdict).toMatchObject({ outcome: 'hang' })
})

test('an abort ends it at once', async () => {
  const abort = new AbortController()
  const verdict = watchBoot(pretend([[]]).machine, { ...limits, signal: abort.signal })
  setTimeout(() => {
    abort.abort(new Error('cancelled'))
  }, 20)
  await expect(verdict).rejects.toThrow('cancelled')
})
