import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { defer } from '../setup/clean-up.mjs'
import { root } from '../setup/paths.mjs'

/** Milliseconds for a login prompt; emulation alone takes one minute on a quiet machine, and ten times that on a busy one. */
const LOGIN_TIMEOUT = 900_000
const COMMAND_TIMEOUT = 400_000

/**
 * Boots a disk by the terminal form and sits down at its serial console.
 * @param {string} disk
 * @param {{ firmware: 'bios' | 'uefi', ports?: string[] }} options
 */
export async function bootDisk(disk, { firmware, ports = [] }) {
  const words = ['preview', disk, '--firmware', firmware, '--attachment', 'virtio']
  const child = spawn(
    process.execPath,
    [join(root, 'out/cli/slipway.cjs'), ...words, ...ports.flatMap((port) => ['--port', port])],
    { stdio: ['pipe', 'pipe', 'pipe'] },
  )
  const ended = once(child, 'exit')
  let text = ''
  let messages = ''
  child.stdout.on('data', (bytes) => (text += bytes.toString('latin1')))
  child.stderr.on('data', (bytes) => (messages += bytes.toString()))
  const stop = async () => {
    child.kill('SIGINT')
    await ended
  }
  const release = defer(stop)

  /** @param {RegExp} wanted @param {number} milliseconds */
  async function waitFor(wanted, milliseconds) {
    const until = Date.now() + milliseconds
    while (!wanted.test(text)) {
      if (Date.now() > until || child.exitCode !== null) {
        throw new Error(`The console never said ${wanted}:\n${text.slice(-1500)}\n${messages.slice(-1500)}`)
      }
      await sleep(200)
    }
  }
  const type = (line) => child.stdin.write(`${line}\r`, 'latin1')

  /** @param {string} command @param {number} [milliseconds] what it writes, trimmed */
  async function run(command, milliseconds = COMMAND_TIMEOUT) {
    text = ''
    // The sum keeps the answer apart from the echo of the question.
    type(`${command}; echo "<<END$((40 + 2))>>"`)
    await waitFor(/<<END42>>/, milliseconds)
    return (
      text
        .slice(0, text.indexOf('<<END42>>'))
        .replaceAll('\r', '')
        // Settings of the terminal (ECMA-48), and what systemd tells it of each command (UAPI.15, OSC context).
        // eslint-disable-next-line no-control-regex
        .replace(/\u001b\[[0-9;?]*[a-zA-Z]|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)/g, '')
        .trim()
    )
  }

  /** Logs in, and becomes root where that is somebody else. @param {{ name: string, password: string | null }} user */
  async function logIn({ name, password }) {
    // Messages of the kernel may follow a prompt, and the prompt waits all the same.
    await waitFor(/login: /, LOGIN_TIMEOUT)
    text = ''
    type(name)
    if (password !== null) {
      await waitFor(/(assword|asswort): ?$/, COMMAND_TIMEOUT)
      text = ''
      type(password)
    }
    await waitFor(/[~/][#$] /, COMMAND_TIMEOUT)
    if (name !== 'root') {
      text = ''
      type('sudo -i')
      await waitFor(/(assword|asswort)[^\n]*: ?$/, COMMAND_TIMEOUT)
      text = ''
      type(password)
      await waitFor(/[~/]# /, COMMAND_TIMEOUT)
    }
    text = ''
    type(
      'dmesg -n 1; stty -echo cols 1000; export PAGER=cat SYSTEMD_PAGER=cat PS1= PS2=; echo READY$((40 + 2))',
    )
    await waitFor(/READY42/, COMMAND_TIMEOUT)
    await run('bind "set enable-bracketed-paste off" 2>/dev/null')
  }

  return {
    run,
    logIn,
    /** Takes the machine's power away; the disk stays as it was built. */
    stop: release,
  }
}
