import { afterEach, beforeEach, expect, test, vi } from 'vitest'
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

type Watched = Pick<Machine, 'onSerial' | 'onRestart' | 'onReset' | 'readScreenText' | 'ended'>

/** A machine whose screens come one after the other, the last one for ever; or with all that is in the screen's memory. */
function pretend(
  screens: (string[] | { rows: string[]; memoryRows?: string[]; isPicture?: boolean })[],
  serial = '',
): {
  machine: Watched
  end: (ending: MachineEnding) => void
  restart: () => void
  reset: (isByGuest: boolean) => void
  say: (text: string) => void
  show: (screens: string[][]) => void
} {
  let look = 0
  let end: (ending: MachineEnding) => void = () => undefined
  const ended = new Promise<MachineEnding>((resolve) => (end = resolve))
  let restart = (): void => undefined
  let reset: (isByGuest: boolean) => void = () => undefined
  let say: (bytes: Buffer) => void = () => undefined
  const nothing = (): undefined => undefined
  return {
    machine: {
      onSerial: (listener) => {
        if (serial !== '') listener(Buffer.from(serial))
        say = listener
        return nothing
      },
      onRestart: (listener) => {
        restart = listener
        return nothing
      },
      onReset: (listener) => {
        reset = listener
        return nothing
      },
      readScreenText: () => {
        const screen = screens[Math.min(look++, screens.length - 1)] ?? []
        const {
          rows,
          memoryRows = rows,
          isPicture = false,
        } = Array.isArray(screen) ? { rows: screen } : screen
        return Promise.resolve({ ok: true, value: { rows, memoryRows, isPicture } })
      },
      ended,
    },
    end: (how) => end(how),
    restart: () => restart(),
    reset: (isByGuest) => reset(isByGuest),
    say: (text) => say(Buffer.from(text)),
    show: (more) => {
      screens = more
      look = 0
    },
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

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

test('verdicts', async () => {
  const login = pretend([
    [],
    ['SeaBIOS'],
    ['[FAILED] Failed to start apache2.service - A web server.'],
    ['a login:'],
  ])
  expect(await settled(watchBoot(login.machine, limits))).toMatchObject({
    outcome: 'login',
    seenOn: 'screen',
    milliseconds: 6750,
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
  const dying = pretend([['Loading']])
  const verdict = watchBoot(dying.machine, limits)
  await vi.advanceTimersByTimeAsync(2500)
  dying.end({ reason: 'powered-off' })
  expect(await settled(verdict)).toMatchObject({ outcome: 'ended', ending: { reason: 'powered-off' } })
  // Its time was up while the prompt was not yet trusted: that is no hang.
  const late = pretend([['boot:']])
  expect(await settled(watchBoot(late.machine, { ...limits, timeoutMilliseconds: 3000 }))).toMatchObject({
    outcome: 'boot-loader-prompt',
  })
})

test('a computer that slept, or was set to another hour, has not waited for a login', async () => {
  const login = pretend([['Loading']])
  const verdict = watchBoot(login.machine, limits)
  await vi.advanceTimersByTimeAsync(1000)
  vi.setSystemTime(Date.now() + 8 * 3_600_000)
  await vi.advanceTimersByTimeAsync(1000)
  login.show([['a login:']])
  expect(await settled(verdict)).toMatchObject({ outcome: 'login', milliseconds: 8250 })
})

test('how the machine ended is told where that is what the boot came to', async () => {
  const { machine, end } = pretend([['Kernel panic - not syncing']])
  end({ reason: 'failed', detail: 'QEMU was ended by SIGKILL' })
  expect(await settled(watchBoot(machine, limits))).toMatchObject({ outcome: 'kernel-panic', ending: null })
})

const failure = '[FAILED] Failed to start apache2.service - The Apache HTTP Server.'

test('a failure that scrolled away and was cleared between two looks is found in the memory of the screen', async () => {
  const started = Array.from({ length: 120 }, (_, index) => `[  OK  ] Started unit-${index}.service.`)
  const prompt = ['Debian GNU/Linux 12 a tty1', '', 'a login: ']
  const fast = pretend([
    ['SeaBIOS'],
    { rows: prompt, memoryRows: [...started.slice(0, 60), failure, ...started.slice(60), ...prompt] },
  ])
  expect(await settled(watchBoot(fast.machine, limits))).toMatchObject({
    outcome: 'login',
    failedUnits: ['apache2.service'],
    lines: prompt.filter((row) => row !== '').map((row) => row.trim()),
  })
  // The same with the whole burst on the serial port.
  const burst = pretend([['SeaBIOS']], [...started, failure, ...started, 'a login: '].join('\r\n'))
  expect(await settled(watchBoot(burst.machine, limits))).toMatchObject({ failedUnits: ['apache2.service'] })
})

test('a unit that fails over the prompt is waited for, and each starts the wait anew', async () => {
  const prompt = (units: string[]): string[] => [
    'a login: ',
    ...units.map((unit) => `[FAILED] Failed to start ${unit}.`),
  ]
  const looks = (units: string[], seconds: number): string[][] =>
    Array.from({ length: seconds * 4 }, () => prompt(units))
  const slow = pretend([...looks([], 5), ...looks(['a.service'], 5), ...looks(['a.service', 'b.service'], 1)])
  expect(await settled(watchBoot(slow.machine, limits))).toMatchObject({
    outcome: 'login',
    milliseconds: 16_000,
    failedUnits: ['a.service', 'b.service'],
  })
})

test('a hang has the last lines of what spoke last', async () => {
  const hanging = pretend([['Loading']])
  expect(await settled(watchBoot(hanging.machine, limits))).toMatchObject({
    outcome: 'hang',
    seenOn: null,
    lines: ['Loading'],
  })
  const talking = pretend([
    ['SeaBIOS', 'Booting from Hard Disk...\ufffd'],
    ['SeaBIOS', 'Booting from Hard Disk...'],
  ])
  const verdict = watchBoot(talking.machine, limits)
  await vi.advanceTimersByTimeAsync(1000)
  talking.say('[    1.0] Linux version 6.1\r\n[    2.0] waiting for ever\r\n')
  expect(await settled(verdict)).toMatchObject({
    outcome: 'hang',
    lines: ['[    1.0] Linux version 6.1', '[    2.0] waiting for ever'],
  })
})

test('a picture that nobody can read is no hang; text over a picture counts', async () => {
  const kiosk = pretend([['Loading'], { rows: ['\ufffd'.repeat(160)], isPicture: true }])
  expect(await settled(watchBoot(kiosk.machine, limits))).toMatchObject({
    outcome: 'picture',
    seenOn: 'screen',
  })
  const splash = pretend([{ rows: ['\ufffd'.repeat(160)], isPicture: true }], 'a login: ')
  expect(await settled(watchBoot(splash.machine, limits))).toMatchObject({
    outcome: 'login',
    seenOn: 'serial',
  })
})

test('a reset is watched anew, and a guest that resets itself again and again is told so', async () => {
  const { machine, reset, say, show } = pretend([['SeaBIOS', failure]], 'a login: ')
  const verdict = watchBoot(machine, limits)
  await vi.advanceTimersByTimeAsync(3000)
  reset(false)
  show([['SeaBIOS']])
  await vi.advanceTimersByTimeAsync(5000)
  say('b login: ')
  expect(await settled(verdict)).toMatchObject({
    outcome: 'login',
    lines: ['b login:'],
    milliseconds: 14_250,
    failedUnits: [],
  })

  const looping = pretend([['SeaBIOS']])
  const loop = watchBoot(looping.machine, limits)
  for (let count = 0; count < 5; count++) {
    await vi.advanceTimersByTimeAsync(1000)
    looping.reset(true)
  }
  expect(await settled(loop)).toMatchObject({ outcome: 'keeps-restarting' })
  // Too slow for five: told when the time is up. One restart is none, nor are those that somebody asked for.
  for (const [resets, outcome] of [
    [[true, true], 'keeps-restarting'],
    [[true, false, false, false, false, false], 'hang'],
  ] as const) {
    const slow = pretend([['SeaBIOS']])
    const slowLoop = watchBoot(slow.machine, limits)
    await vi.advanceTimersByTimeAsync(1000)
    for (const isByGuest of resets) slow.reset(isByGuest)
    expect(await settled(slowLoop)).toMatchObject({ outcome, lines: ['SeaBIOS'] })
  }
})

test('what was on the serial port before a restart does not count', async () => {
  const { machine, restart } = pretend([['SeaBIOS']], 'Shell> ')
  const verdict = watchBoot(machine, { ...limits, timeoutMilliseconds: 10 })
  restart()
  expect(await settled(verdict)).toMatchObject({ outcome: 'hang' })
})

test('an abort ends it at once', async () => {
  const abort = new AbortController()
  const verdict = watchBoot(pretend([[]]).machine, { ...limits, signal: abort.signal })
  verdict.catch(() => undefined)
  await vi.advanceTimersByTimeAsync(20)
  abort.abort(new Error('cancelled'))
  await expect(verdict).rejects.toThrow('cancelled')
})
