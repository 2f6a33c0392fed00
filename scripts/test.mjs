import { mkdir, mkdtemp } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { cleanUp, defer, wasInterrupted } from './setup/clean-up.mjs'
import { build } from './setup/build.mjs'
import { docker, personsEngine, startEngine } from './setup/engine.mjs'
import { buildHowto, ensureBase } from './setup/images.mjs'
import { cache, root } from './setup/paths.mjs'
import { canBeRoot, run, runAsRoot } from './setup/run.mjs'
import { setUp } from './setup/setup.mjs'
import { say } from './setup/talk.mjs'
import { startDisplay } from './testing/display.mjs'
import { leakedContainers, leaksSince, RUN_MARK, snapshot } from './testing/leaks.mjs'
import { runVitest } from './testing/vitest.mjs'

/** Milliseconds for everything, twice what a slow machine takes; what runs over is ended and counts as failed. */
const BUDGET = 85 * 60_000
const started = Date.now()
const inCi = Boolean(process.env.CI) && process.env.CI !== 'false'
/** Names of tests that CI may skip. */
const ALLOWED_SKIPS = []

/** @type {{ name: string, passed: number, failed: string[], skipped: string[], seconds: number }[]} */
const parts = []

/**
 * Runs one part and writes down how it ended; a part that throws is one failed test.
 * @template T
 * @param {string} name
 * @param {() => Promise<T>} work may answer counts; anything else is one passed test
 * @returns {Promise<T | undefined>} undefined when it failed
 */
async function part(name, work) {
  if (wasInterrupted()) {
    // What was running has been ended; the signal's handler cleans up and exits, and nothing may start any more.
    await new Promise(() => {})
  }
  return count(name, work)
}

async function count(name, work) {
  say(`\n=== ${name}`)
  const before = Date.now()
  let counts = { passed: 0, failed: [], skipped: [] }
  let result
  try {
    result = await work()
    counts = Array.isArray(result?.failed) ? result : { ...counts, passed: 1 }
  } catch (error) {
    say(error.message)
    counts.failed = [name]
  }
  const unexcused = inCi ? counts.skipped.filter((test) => !ALLOWED_SKIPS.includes(test)) : []
  parts.push({
    name,
    passed: counts.passed,
    failed: [...counts.failed, ...unexcused.map((test) => `skipped: ${test}`)],
    skipped: counts.skipped.filter((test) => !unexcused.includes(test)),
    seconds: Math.round((Date.now() - before) / 1000),
  })
  return result
}

const remaining = () => Math.max(1000, BUDGET - (Date.now() - started))

async function script(...args) {
  const { code, stdout, stderr } = await run('npm', ['run', '--silent', ...args], {
    cwd: root,
    timeout: remaining(),
  })
  if (code !== 0) {
    throw new Error(`${stdout}${stderr}`)
  }
}

async function everything(workspace) {
  const ready = await part('set-up', () => setUp('test', { ask: false }))
  if (ready === undefined) {
    return
  }
  if (inCi && ready.missing.length > 0) {
    parts.at(-1).failed.push(...ready.missing.map((what) => `missing: ${what}`))
  }
  const env = await environment(workspace, ready.electron)
  await part('build', build)
  await part('types', () => script('typecheck'))
  await part('lint', () => script('lint'))
  const vitest = (name, projects, variables) =>
    part(name, () => {
      // Loop devices, mounts and the helper's own checks need root.
      const asRoot = !projects.includes('unit')
      return runVitest(projects, workspace, { env: { ...env, ...variables }, timeout: remaining(), asRoot })
    })
  await vitest('unit, formats, window', ['unit', 'formats', 'window'], {})

  const engine = await part('engine', testEngine)
  if (engine === undefined) {
    return
  }
  const variables = {
    DOCKER_HOST: engine.host,
    SLIPWAY_TEST_ENGINE: engine.host.replace(/^unix:\/\//, ''),
    SLIPWAY_TEST_HOWTO_IMAGE: engine.image,
  }
  const disk = join(workspace, 'my-machine.img')
  await part("the HOWTO's machine, by the terminal form", async () => {
    await makeHowto(engine, disk, { ...env, ...variables })
    variables.SLIPWAY_TEST_HOWTO_DISK = disk
  })
  const display = await part('display', startDisplay)
  if (display !== undefined) {
    defer(display.stop)
    variables.DISPLAY = display.display
  }
  await vitest('integration', ['integration'], variables)
  await vitest('window, for real', ['e2e'], variables)
  await part('containers', async () => report(await leakedContainers(engine.host)))
}

/** Tests see none of the person's settings and keep all of theirs in the workspace. */
async function environment(workspace, electron) {
  const directory = (name) => join(workspace, name)
  const own = {
    TMPDIR: 'tmp',
    HOME: 'home',
    XDG_CONFIG_HOME: 'config',
    XDG_DATA_HOME: 'data',
    XDG_STATE_HOME: 'state',
  }
  await Promise.all(Object.values(own).map((name) => mkdir(directory(name), { recursive: true })))
  const env = { ...process.env, ELECTRON_OVERRIDE_DIST_PATH: electron, XDG_CACHE_HOME: dirname(cache) }
  for (const [variable, name] of Object.entries(own)) {
    env[variable] = directory(name)
  }
  delete env.DISPLAY
  delete env.WAYLAND_DISPLAY
  delete env.DOCKER_HOST
  env.SLIPWAY_TEST_PICTURE = join(root, 'artifacts/howto-login.png')
  await mkdir(join(root, 'artifacts'), { recursive: true })
  return env
}

/** An engine of the tests' own where one may be started, else the person's. */
async function testEngine() {
  if (canBeRoot()) {
    const engine = await startEngine()
    defer(engine.stop)
    return { host: engine.host, image: 'my-machine:latest' }
  }
  const host = await personsEngine()
  if (host === null) {
    throw new Error('No Docker Engine answers, and only root can start one.')
  }
  const image = 'slipway-test/my-machine:latest'
  defer(() => docker(host, ['image', 'rm', image]))
  return { host, image }
}

/** Builds the HOWTO's image, and a disk of it by the command that a person would type. */
async function makeHowto(engine, disk, env) {
  await ensureBase(engine.host)
  await buildHowto(engine.host, engine.image, { label: 'slipway.test' })
  const args = [join(root, 'out/cli/slipway.cjs'), 'build', engine.image, '-o', disk]
  const built = await run(process.execPath, args, { env, timeout: remaining() })
  if (built.code !== 0) {
    throw new Error(`slipway build ended with exit code ${built.code}:\n${built.stdout}${built.stderr}`)
  }
}

/** Each thing left behind is a failed test. */
function report(leaks) {
  leaks.forEach((leak) => say(`left behind: ${leak}`))
  return {
    passed: leaks.length === 0 ? 1 : 0,
    failed: leaks.map((leak) => `left behind: ${leak}`),
    skipped: [],
  }
}

function summarise() {
  const sum = (count) => parts.reduce((total, each) => total + count(each), 0)
  say('\n=== Summary')
  for (const { name, passed, failed, skipped, seconds } of parts) {
    say(`${name}: ${passed} passed, ${failed.length} failed, ${skipped.length} skipped (${seconds} s)`)
    failed.forEach((test) => say(`  failed: ${test}`))
    skipped.forEach((test) => say(`  skipped: ${test}`))
  }
  const failed = sum((each) => each.failed.length)
  say(`${sum((each) => each.passed)} passed, ${failed} failed, ${sum((each) => each.skipped.length)} skipped`)
  return failed
}

// Not in /tmp, which is memory on many systems: disks take gigabytes.
const workspace = await mkdtemp('/var/tmp/slipway-test-')
defer(() => runAsRoot('rm', ['-rf', '--one-file-system', workspace]))
process.env[RUN_MARK] = workspace
const before = await snapshot(workspace)
// Deferred, so that it comes after everything that is released later and before the workspace goes.
defer(() => count('nothing left behind', async () => report(await leaksSince(before, workspace))))
try {
  await everything(workspace)
} catch (error) {
  await part('the run itself', () => Promise.reject(error))
}
await cleanUp()
process.exitCode = summarise() === 0 ? 0 : 1
