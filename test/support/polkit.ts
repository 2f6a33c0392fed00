import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'

const BUS_DIRECTORY = '/run/dbus'
const BUS_SOCKET = `${BUS_DIRECTORY}/system_bus_socket`
const POLKITD = '/usr/lib/polkit-1/polkitd'
const RULES_DIRECTORY = '/etc/polkit-1/rules.d'
const START_TIMEOUT = 20_000

/** pkexec(1): 0 and the program's own result when authorized, 127 when not. */
const PKEXEC_ANSWERS = { grant: 0, refuse: 127 }

/** What polkit answers when the test's user asks for root. */
export type PolkitAnswer = keyof typeof PKEXEC_ANSWERS

/** An ordinary user made for a test, and a real polkit that knows what to answer it. */
export interface TestPolkit {
  user: { name: string; uid: number; gid: number; home: string }
  /** For processes that run as the user: HOME, USER, TMPDIR and PATH, and nothing of root's. */
  env: NodeJS.ProcessEnv
  /** Changes the answer; resolves when polkit gives it. */
  answer: (answer: PolkitAnswer) => Promise<void>
  /** Ends what was started and removes user, home and rule. */
  stop: () => Promise<void>
}

/**
 * Makes an ordinary user and lets a real polkit answer its pkexec without a dialog. A system bus that runs
 * already is used; else dbus-daemon and polkitd are started for the test. Needs root. Start processes as the
 * user with `spawn(…, { uid, gid, env })`.
 * @throws when bus or polkit do not come up; nothing is left then
 */
export async function startDbusAndPolkit(answer: PolkitAnswer): Promise<TestPolkit> {
  const releases: (() => Promise<unknown>)[] = []
  const stop = async (): Promise<void> => {
    for (let release = releases.pop(); release !== undefined; release = releases.pop()) await release()
  }
  try {
    await startBus(releases)
    const user = await makeUser(releases)
    const env: NodeJS.ProcessEnv = {
      HOME: user.home,
      USER: user.name,
      LOGNAME: user.name,
      TMPDIR: `${user.home}/tmp`,
      PATH: process.env['PATH'],
      SLIPWAY_TEST_RUN: process.env['SLIPWAY_TEST_RUN'],
    }
    const rule = `${RULES_DIRECTORY}/00-${user.name}.rules`
    releases.push(() => rm(rule, { force: true }))
    const setAnswer = async (wanted: PolkitAnswer): Promise<void> => {
      await writeFile(rule, ruleFor(user.name, wanted))
      await chmod(rule, 0o644)
      await waitFor(`polkit to answer “${wanted}”`, async () => {
        const asked = await execa('pkexec', ['--disable-internal-agent', '/bin/true'], {
          ...{ uid: user.uid, gid: user.gid, env, extendEnv: false, cwd: user.home, reject: false },
        })
        return asked.exitCode === PKEXEC_ANSWERS[wanted]
      })
    }
    await setAnswer(answer)
    return { user, env, answer: setAnswer, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** polkit(8): the first rule that answers decides; pkexec's action is the same for every program. */
function ruleFor(user: string, answer: PolkitAnswer): string {
  return `polkit.addRule(function (action, subject) {
  if (action.id === 'org.freedesktop.policykit.exec' && subject.user === '${user}') {
    return polkit.Result.${answer === 'grant' ? 'YES' : 'NO'}
  }
})
`
}

async function startBus(releases: (() => Promise<unknown>)[]): Promise<void> {
  if (!(await busAnswers())) {
    if (!existsSync(BUS_DIRECTORY)) {
      await mkdir(BUS_DIRECTORY)
      releases.push(() => rm(BUS_DIRECTORY, { recursive: true, force: true }))
    }
    // A socket that nobody listens on is left by a bus that was killed.
    releases.push(() => rm(BUS_SOCKET, { force: true }))
    const bus = spawn('dbus-daemon', ['--system', '--nofork', '--nopidfile'], { stdio: 'ignore' })
    releases.push(() => end(bus))
    await waitFor('the system bus', busAnswers)
  }
  if (!(await polkitAnswers())) {
    // Not left to the bus to start, which would make it a process that nobody here knows.
    const polkitd = spawn(POLKITD, ['--no-debug'], { stdio: 'ignore' })
    releases.push(() => end(polkitd))
    await waitFor('polkitd', polkitAnswers)
  }
}

async function makeUser(releases: (() => Promise<unknown>)[]): Promise<TestPolkit['user']> {
  const name = `slipway-test-${process.pid}`
  const home = `/home/${name}`
  await execa('useradd', ['--create-home', '--home-dir', home, '--shell', '/bin/sh', name])
  releases.push(() => execa('userdel', ['--remove', name], { reject: false }))
  const [uid = 0, gid = 0] = await Promise.all(
    ['-u', '-g'].map(async (option) => Number((await execa('id', [option, name])).stdout)),
  )
  await execa('install', ['-d', '-o', String(uid), '-g', String(gid), '-m', '700', `${home}/tmp`])
  return { name, uid, gid, home }
}

const hasOwner = async (name: string): Promise<boolean> => {
  const asked = await execa(
    'dbus-send',
    [
      ...['--system', '--print-reply', '--dest=org.freedesktop.DBus', '/org/freedesktop/DBus'],
      ...['org.freedesktop.DBus.NameHasOwner', `string:${name}`],
    ],
    { reject: false },
  )
  return asked.stdout.includes('boolean true')
}
const busAnswers = (): Promise<boolean> => hasOwner('org.freedesktop.DBus')
const polkitAnswers = (): Promise<boolean> => hasOwner('org.freedesktop.PolicyKit1')

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  await ended
}

async function waitFor(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`Waited ${START_TIMEOUT / 1000} s for ${what}`)
    await sleep(100)
  }
}
