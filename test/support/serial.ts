import type { Machine } from '../../src/main/preview/machine'

/** Milliseconds between two looks at what was said. */
const LOOK_INTERVAL = 100

/** A person at the serial console. */
export interface SerialConsole {
  /** Waits until the machine has said it; throws with its last words after so many milliseconds. */
  waitFor(wanted: RegExp, milliseconds: number): Promise<void>
  /** Logs in as root, who has no password, and makes the shell quiet. */
  logIn(milliseconds: number): Promise<void>
  /** Runs a command in the shell; answers what it wrote, trimmed. */
  run(command: string, milliseconds?: number): Promise<string>
  /** Ends what runs in the shell, as Ctrl+C does; throws when the shell does not come back. */
  interrupt(): Promise<void>
}

/** Sits down at a machine's serial port. */
export function serialConsole(machine: Pick<Machine, 'onSerial' | 'writeSerial'>): SerialConsole {
  let text = ''
  machine.onSerial((bytes) => {
    text += bytes.toString('latin1')
  })
  const type = (line: string): void => {
    machine.writeSerial(Buffer.from(`${line}\r`, 'latin1'))
  }
  async function waitFor(wanted: RegExp, milliseconds: number): Promise<void> {
    // Looks are counted, not time: whoever stops this process and the machine for a while changes nothing.
    for (let look = 0; look * LOOK_INTERVAL < milliseconds; look++) {
      if (wanted.test(text)) return
      await new Promise((resolve) => setTimeout(resolve, LOOK_INTERVAL))
    }
    throw new Error(`the serial console never said ${String(wanted)}:\n${text.slice(-2000)}`)
  }
  return {
    waitFor,
    async logIn(milliseconds) {
      // Messages of the kernel may follow a prompt, and the prompt waits all the same.
      await waitFor(/login: /, milliseconds)
      type('root')
      await waitFor(/[~/]# /, 120_000)
      // The sum keeps the answer apart from the echo of the question.
      type(
        'dmesg -n 1; stty -echo cols 1000; export PAGER=cat SYSTEMD_PAGER=cat PS1=; PS2=; bind "set enable-bracketed-paste off"; echo READY$((40 + 2))',
      )
      await waitFor(/READY42/, 60_000)
    },
    async run(command, milliseconds = 120_000) {
      text = ''
      type(`${command}; echo "<<END$((40 + 2))>>"`)
      await waitFor(/<<END42>>/, milliseconds)
      return (
        text
          .slice(0, text.indexOf('<<END42>>'))
          .replaceAll('\r', '')
          // Settings of the terminal are no output (ECMA-48, control sequences).
          // eslint-disable-next-line no-control-regex
          .replace(/\u001b\[[0-9;?]*[a-zA-Z]/g, '')
          .trim()
      )
    },
    async interrupt() {
      machine.writeSerial(Buffer.from('\u0003'))
      text = ''
      type('echo "<<FREE$((40 + 2))>>"')
      await waitFor(/<<FREE42>>/, 30_000)
    },
  }
}
