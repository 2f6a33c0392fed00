import type { ListedDrive } from '../../src/main/drives/watch'
import type { DriveIdentity } from '../../src/shared/drive'
import type { Failure } from '../../src/shared/failure'
import { serialConsole } from './serial'
import type { Stick } from './sticks'
import { GUEST_DISK } from './sticks-image'
import type { StickMachine } from './sticks-machine'

/** Milliseconds from the power switch to the login. */
const BOOT_TIMEOUT = 400_000
/** Milliseconds for a command in the guest, the terminal form's longest job among them. */
const COMMAND_TIMEOUT = 180_000
/** Milliseconds until the guest has seen what was done to a stick. */
const NOTICE_TIMEOUT = 60_000

/** What the guest is asked when something in it did not end: the kernel's last words, the drives, and the jobs'. */
const LAST_WORDS = 'dmesg | tail -n 15; lsblk; tail -vn 3 /run/*.out'

/** What the terminal form said with --json. */
export interface Ended {
  /** Exit code, as of a shell: 137 for a killed process. */
  code: number
  /** Null when it was killed. */
  answer: { ok: boolean; failure?: Failure; cancelled?: boolean; verified?: boolean } | null
  /** Everything that it wrote. */
  output: string
}

/** What a taken-over unprivileged side asks the helper for. Everything is allowed unless said otherwise. */
export interface RogueAttempt {
  /** The device of the drive whose identity is used. */
  like: string
  /** What of the identity is changed. */
  drive?: Partial<DriveIdentity>
  disk?: string
  confirmation?: string
  unmount?: boolean
  expert?: boolean
}

export interface Guest {
  /**
   * Runs a command as root; answers what it wrote, trimmed. Throws when it fails or does not end within so many
   * milliseconds; it is ended then, and the error says what the guest has to say.
   */
  run(command: string, milliseconds?: number): Promise<string>
  /** Waits until a shell condition holds in the guest; throws like `run`. */
  until(condition: string): Promise<void>
  /** Lists the drives now, as an ordinary user does. */
  drives(): Promise<ListedDrive[]>
  /** The drives as they were last listed, which takes the guest a while. */
  listed(): Promise<ListedDrive[]>
  /** The drive as which the guest last saw a stick: device and name are the same as long as it is plugged in. */
  find(stick: Stick): Promise<ListedDrive>
  /** Starts the terminal form in the background, with --json. */
  start(name: string, words: readonly string[]): Promise<void>
  /** Starts one after the other, each when the one before has ended. */
  startInTurn(jobs: readonly { name: string; words: readonly string[] }[]): Promise<void>
  /** Waits until what was started under this name has said something; a basic regular expression. Throws when it ends without. */
  said(name: string, pattern: string): Promise<void>
  ended(name: string): Promise<Ended>
  /** What the helper answers to a taken-over unprivileged side, attempt by attempt. */
  rogue(attempts: readonly RogueAttempt[]): Promise<{ ok: boolean; failure?: Failure }[]>
}

/** A word for the shell. */
export const quote = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`

/** Waits for the guest's login and sits down at its console. */
export async function logInToGuest(machine: StickMachine): Promise<Guest> {
  const console = serialConsole(machine)
  await console.logIn(BOOT_TIMEOUT)
  // An exclamation mark is a character like any other.
  await console.run('set +H')

  /** Why the console takes no more commands. */
  let broken: Error | null = null

  async function run(command: string, milliseconds = COMMAND_TIMEOUT): Promise<string> {
    if (broken !== null) throw broken
    let output: string
    try {
      output = await console.run(`( set -e; ${command}\n); printf '\\nexit %d\\n' $?`, milliseconds)
    } catch (error) {
      throw new Error(`in the guest, this did not end: ${command}\n${await lastWords()}`, { cause: error })
    }
    const text = Buffer.from(output, 'latin1').toString('utf8')
    const end = /\n?exit (\d+)$/.exec(text)
    if (end?.[1] !== '0') throw new Error(`in the guest, ${command}:\n${text}`)
    return text.slice(0, end.index).trim()
  }
  async function lastWords(): Promise<string> {
    try {
      await console.interrupt()
      return await console.run(LAST_WORDS, NOTICE_TIMEOUT)
    } catch (error) {
      broken = new Error('the guest hangs', { cause: error })
      return String(error)
    }
  }
  let lastListed: ListedDrive[] | null = null
  async function drives(): Promise<ListedDrive[]> {
    const answer = await run('as-person slipway drives --json 2>/run/drives')
    lastListed = (JSON.parse(answer) as { drives: ListedDrive[] }).drives
    return lastListed
  }
  const listed = async (): Promise<ListedDrive[]> => lastListed ?? (await drives())
  const untilTrue = (condition: string): string => `until ${condition}; do sleep 0.1; done`
  const untilEnded = (name: string): string => untilTrue(`[ -e /run/${name}.exit ]`)
  const jobCommand = (name: string, words: readonly string[]): string =>
    `job ${[name, ...words].map(quote).join(' ')}`
  const slipwayCommand = (name: string, words: readonly string[]): string =>
    jobCommand(name, ['slipway', ...words, '--json'])
  return {
    run,
    async until(condition) {
      await run(untilTrue(condition), NOTICE_TIMEOUT)
    },
    drives,
    listed,
    async find(stick) {
      return driveOf(stick, await listed())
    },
    async start(name, words) {
      await run(slipwayCommand(name, words))
    },
    async startInTurn(jobs) {
      const commands = jobs.map(({ name, words }) => `${slipwayCommand(name, words)}; ${untilEnded(name)}`)
      await run(`( ${commands.join('; ')} ) >/run/in-turn 2>&1 </dev/null &`)
    },
    async said(name, pattern) {
      const isSaid = `grep -q ${quote(pattern)} /run/${name}.out`
      await run(
        `${untilTrue(`${isSaid} || [ -e /run/${name}.exit ]`)}; ${isSaid} || { cat /run/${name}.out; exit 1; }`,
      )
    },
    async ended(name) {
      const output = await run(`${untilEnded(name)}; cat /run/${name}.out; echo; cat /run/${name}.exit`)
      const lines = output.split('\n')
      const answer = lines.find((line) => line.startsWith('{"ok"'))
      const parsed = answer === undefined ? null : (JSON.parse(answer) as Ended['answer'])
      return { code: Number(lines.at(-1)), answer: parsed, output }
    },
    async rogue(attempts) {
      await run(`cat >/run/attempts <<'END'\n${JSON.stringify(attempts)}\nEND`)
      await run(jobCommand('rogue', ['node', '/opt/rogue/rogue.cjs', GUEST_DISK, '/run/attempts']))
      for (const index of attempts.keys()) {
        await run(untilTrue(`[ -e /run/rogue.exit ] || [ "$(wc -l </run/rogue.out)" -gt ${index} ]`))
      }
      const output = await run(`${untilEnded('rogue')}; cat /run/rogue.out`)
      return output.split('\n').map((line) => JSON.parse(line) as { ok: boolean; failure?: Failure })
    },
  }
}

/** The drive that was plugged in as this stick; throws when it is not among them. */
export function driveOf(stick: Stick, drives: readonly ListedDrive[]): ListedDrive {
  const drive = drives.find((one) => isAt(one, stick))
  if (drive === undefined) throw new Error(`the guest does not see ${stick.name}`)
  return drive
}

/** Whether a drive of the guest is the one that was plugged in there. */
function isAt(drive: ListedDrive, { plug }: Stick): boolean {
  switch (plug.kind) {
    case 'stick':
    case 'reader':
      // The device's own name is bus and port (kernel Documentation/ABI/testing/sysfs-bus-usb).
      return new RegExp(`/usb\\d+/\\d+-${plug.port}/`).test(drive.port)
    case 'sata':
      return drive.bus === 'sata'
    case 'card':
      return drive.bus === 'mmc'
  }
}
