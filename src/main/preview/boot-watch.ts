import type { BootOutcome } from '../../shared/proof'
import { gatherFailedUnits } from './failed-units'
import type { Machine, MachineEnding } from './machine'

export interface BootVerdict {
  outcome: BootOutcome
  /** From the call to the verdict. */
  milliseconds: number
  /** Where it was seen; null where nothing was. */
  seenOn: 'screen' | 'serial' | null
  /** The last rows with text, from where it was seen, else from what spoke last. */
  lines: string[]
  /** Units that systemd reported as failed, as it called them. */
  failedUnits: string[]
  /** How the machine ended where that is the outcome: a QEMU that failed says nothing of what was booted. */
  ending: MachineEnding | null
}

/** Milliseconds between two looks at the screen. A framebuffer's rows are gone when they scroll. */
const LOOK_INTERVAL = 250
/** Restarts by the guest itself that make a loop at once. A first start may take one or two (shim's fallback.c, a grown disk). */
const RESTARTS_LIMIT = 5
/** Restarts that make a loop of a boot that had come to nothing when its time was up. */
const RESTARTS_AT_TIMEOUT = 2
/** Rows of serial output that count as its screen. */
const SERIAL_ROWS = 25
const SERIAL_KEPT = 64 * 1024
/** Rows of a verdict. */
const LINES_KEPT = 25
/** The cursor after a prompt is drawn as a letter that is none. */
const CURSOR = /\ufffd$/

/** By the last row with text: a prompt counts only while it waits. */
const prompts: readonly (readonly [BootOutcome, RegExp])[] = [
  ['initramfs-shell', /^\(initramfs\)|^dracut:.*#$|^\[rootfs [^\]]*\]#$|^sh: can't access tty/],
  // util-linux, sulogin.c: the question is of two rows, and the second waits.
  [
    'emergency-shell',
    /(?:Press Enter|Give root password) for maintenance|^\(or press Control-D to continue\)/,
  ],
  ['boot-loader-prompt', /^boot:|^grub(?: rescue)?>/],
  ['no-bootable-device', /^Shell>/],
]

/**
 * By any row: programs' own last words. SeaBIOS, OVMF and the boot code of
 * syslinux (mbr.bin) for a missing system; Linux kernel/panic.c; agetty and
 * busybox getty for the login.
 */
const messages: readonly (readonly [BootOutcome, RegExp])[] = [
  ['kernel-panic', /Kernel panic - not syncing/],
  // OVMF (BdsDxe) for a loader, shim (errlog.c) and GRUB (kern/efi/sb.c) for what comes after.
  [
    'secure-boot-refused',
    /^BdsDxe: failed to (?:load|start) .*(?:Access Denied|Security Violation)|Verification failed: .*Security Violation|bad shim signature|has invalid signature/,
  ],
  [
    'no-bootable-device',
    /No bootable device|No bootable option or device was found|Missing operating system|Operating system load error|FATAL: INT18: BOOT FAILURE/,
  ],
  // initramfs-tools, scripts/functions: what its panic() says before the shell.
  ['initramfs-shell', /ALERT! .*Dropping to a shell!/],
  ['login', /^(?!Last )[\w.-]+ login:/],
  [
    'target-reached',
    /Reached target (?:multi-user|graphical)\.target|Reached target .*(?:Multi-User System|Graphical Interface)/,
  ],
]

/** Milliseconds for which an outcome must stay before it is the verdict: what may pass by itself gets time to. */
const settleTimes: Partial<Record<BootOutcome, number>> = {
  // Units that are still being started may fail over the prompt: systemd lets a getty wait for them for 5 s (Type=idle
  // in systemd.service(5)), and no longer.
  login: 6000,
  'secure-boot-refused': 3000,
  'target-reached': 30_000,
  'boot-loader-prompt': 10_000,
  'no-bootable-device': 3000,
  'initramfs-shell': 2000,
  'emergency-shell': 2000,
}

/**
 * What the rows of a console say about a boot.
 * @param rows from top to bottom
 * @returns null while it is under way
 */
export function judgeRows(rows: readonly string[]): BootOutcome | null {
  const last = (rows.findLast((row) => row.trim() !== '') ?? '').replace(CURSOR, '').trim()
  for (const [outcome, pattern] of prompts) if (pattern.test(last)) return outcome
  for (const [outcome, pattern] of messages) if (rows.some((row) => pattern.test(row.trim()))) return outcome
  return null
}

/** Control sequences of ECMA-48: CSI, OSC, two-character escapes, choice of character set. */
const controlSequences = new RegExp(
  ['\\[[0-?]*[ -/]*[@-~]', '\\][^\\u0007]*\\u0007', '[()][0-9A-B]', '[@-Z\\\\-_]']
    .map((sequence) => `\\u001b${sequence}`)
    .join('|'),
  'g',
)

/** Rows of a terminal's raw output without its control sequences; of a row that was overwritten, the last text. */
export function rowsOfSerial(text: string): string[] {
  return text
    .replace(controlSequences, '')
    .split('\n')
    .map((row) => row.replace(/\r+$/, '').replace(/^.*\r/, ''))
}

/** Rows that say something: with a character that is known (screen.ts), and without the cursor, which blinks. */
function printedRows(rows: readonly string[]): string[] {
  return rows.map((row) => row.replace(CURSOR, '').trimEnd()).filter((row) => /[^\s\ufffc\ufffd]/.test(row))
}

/**
 * Watches a machine boot and decides what it came to, by the text on its
 * screen and on its serial port, whichever shows it first. The image needs
 * no serial console. What can be read of a screen: VGA text mode whatever its
 * font, and consoles drawn with the fonts of glyphs.ts at 8 by 16 pixels.
 * A machine that was started again, by itself or on another accelerator, is watched anew.
 * @param limits.timeoutMilliseconds after which the verdict is what it came to so far: `picture`, `keeps-restarting`
 *   or `hang` where that was nothing
 * @param limits.signal its abort throws its reason
 */
export async function watchBoot(
  machine: Pick<Machine, 'onSerial' | 'onRestart' | 'onReset' | 'readScreenText' | 'ended'>,
  limits: { timeoutMilliseconds: number; signal: AbortSignal },
): Promise<BootVerdict> {
  // A computer that sleeps does not boot a machine meanwhile, and this clock stands still then (Linux, CLOCK_MONOTONIC).
  const startedAt = performance.now()
  const failedUnits = gatherFailedUnits()
  let serial = ''
  // In an object, because callbacks change it between two looks.
  const state: {
    ending: MachineEnding | null
    candidate: { outcome: BootOutcome; since: number } | null
    /** By the guest itself. */
    restarts: number
    /** Counts whatever made it start again. */
    starts: number
    lastSpoke: 'screen' | 'serial'
  } = { ending: null, candidate: null, restarts: 0, starts: 0, lastSpoke: 'screen' }
  let screenRows: string[] = []
  let isPicture = false
  const verdict = (outcome: BootOutcome, seenOn: BootVerdict['seenOn']): BootVerdict => ({
    outcome,
    milliseconds: Math.round(performance.now() - startedAt),
    seenOn,
    lines: printedRows((seenOn ?? state.lastSpoke) === 'serial' ? rowsOfSerial(serial) : screenRows).slice(
      -LINES_KEPT,
    ),
    failedUnits: failedUnits.names(),
    ending: outcome === 'ended' ? state.ending : null,
  })
  const watchAnew = (): void => {
    state.starts++
    serial = ''
    screenRows = []
    state.candidate = null
    failedUnits.clear()
  }
  const unsubscribe = [
    machine.onSerial((bytes) => {
      serial = (serial + bytes.toString('latin1')).slice(-SERIAL_KEPT)
      state.lastSpoke = 'serial'
    }),
    machine.onRestart(() => {
      watchAnew()
      state.restarts = 0
    }),
    machine.onReset((isByGuest) => {
      watchAnew()
      if (isByGuest) state.restarts++
    }),
  ]
  let wake = (): void => undefined
  void machine.ended.then((how) => {
    state.ending = how
    wake()
  })
  const wakeNow = (): void => wake()
  limits.signal.addEventListener('abort', wakeNow)
  try {
    for (;;) {
      limits.signal.throwIfAborted()
      const { starts } = state
      const screen = await machine.readScreenText()
      const serialRows = rowsOfSerial(serial)
      let foundFailure = failedUnits.take(serialRows)
      // A screen that was read before it started again says nothing.
      if (screen.ok && starts === state.starts) {
        const { rows, memoryRows } = screen.value
        if (printedRows(rows).join('\n') !== printedRows(screenRows).join('\n')) state.lastSpoke = 'screen'
        screenRows = rows
        isPicture = screen.value.isPicture
        foundFailure = failedUnits.take(memoryRows) || foundFailure
      }
      const now = performance.now()
      const isLate = now - startedAt > limits.timeoutMilliseconds
      const onScreen = judgeRows(screenRows)
      const outcome = onScreen ?? judgeRows(serialRows.slice(-SERIAL_ROWS))
      if (outcome === null) state.candidate = null
      else {
        if (state.candidate?.outcome !== outcome || foundFailure) state.candidate = { outcome, since: now }
        if (now - state.candidate.since >= (settleTimes[outcome] ?? 0) || isLate) {
          return verdict(outcome, onScreen === null ? 'serial' : 'screen')
        }
      }
      if (state.ending !== null) return verdict('ended', null)
      if (state.restarts >= (isLate ? RESTARTS_AT_TIMEOUT : RESTARTS_LIMIT)) {
        return verdict('keeps-restarting', null)
      }
      if (isLate) return isPicture ? verdict('picture', 'screen') : verdict('hang', null)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, LOOK_INTERVAL)
        wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  } finally {
    limits.signal.removeEventListener('abort', wakeNow)
    for (const end of unsubscribe) end()
  }
}

/**
 * Waits until a machine begins again from its firmware, after which an earlier verdict is of the past.
 * @returns false when it ends instead
 */
export function nextStart(machine: Pick<Machine, 'onRestart' | 'onReset' | 'ended'>): Promise<boolean> {
  return new Promise((resolve) => {
    const settle = (begins: boolean): void => {
      for (const end of unsubscribe) end()
      resolve(begins)
    }
    const unsubscribe = [machine.onRestart(() => settle(true)), machine.onReset(() => settle(true))]
    void machine.ended.then(() => settle(false))
  })
}
