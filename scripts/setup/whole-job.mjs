import { mkdir, mkdtemp, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { basename, join, relative } from 'node:path'
import { defer } from './clean-up.mjs'
import { docker, personsEngine, startEngine } from './engine.mjs'
import { buildHowto, ensureBase } from './images.mjs'
import { root } from './paths.mjs'
import { run, runAsRoot } from './run.mjs'
import { say } from './talk.mjs'

const CLI = join(root, 'out/cli/slipway.cjs')
/** Bytes; the file is sparse and holds no more than the disk that is written to it. */
const STICK_SIZE = 8e9

/**
 * Does in the terminal what the window is for, on the HOWTO's machine: image, disk, boot, stick.
 * The disk and the picture of its screen stay in artifacts/howto, everything else is removed.
 * @returns {Promise<number>} exit code
 * @throws {Error} when a step fails
 */
export async function wholeJob() {
  say('There is no display here, so the whole job is done in the terminal, on examples/howto.')
  const results = join(root, 'artifacts/howto')
  await rm(results, { recursive: true, force: true })
  await mkdir(results, { recursive: true })
  const disk = join(results, 'my-machine.img')
  const picture = join(results, 'my-machine.png')

  const engine = await step('Docker Engine', chooseEngine)
  const image = await step('Docker image from examples/howto', () => makeImage(engine))
  await step('Disk', () => slipway(engine, ['build', image, '-o', disk]))
  await step('Boot', () => slipway(engine, ['preview', disk, '--until-login', '--picture', picture]))
  await step('Simulated stick', () => writeStick(engine, disk))

  const { size, blocks } = await stat(disk)
  say(
    `\nDone. The disk: ${relative(root, disk)} (${gigabytes(size)}, of which ${gigabytes(blocks * 512)} in use)`,
  )
  say(`The picture of its screen: ${relative(root, picture)}`)
  return 0
}

const gigabytes = (bytes) => `${(bytes / 1e9).toFixed(1)} GB`

async function step(title, work) {
  say(`\n=== ${title}`)
  const before = performance.now()
  const result = await work()
  say(`    ${((performance.now() - before) / 1000).toFixed(1)} s`)
  return result
}

/** @returns {Promise<{ host: string, own: boolean }>} */
async function chooseEngine() {
  const host = await personsEngine()
  if (host !== null) {
    say(`Using the engine at ${host}.`)
    return { host, own: false }
  }
  say('No engine answers; starting one for this run alone.')
  const engine = await startEngine()
  defer(engine.stop)
  return { host: engine.host, own: true }
}

/** @returns {Promise<string>} the image's name; what was not there before is removed at the end */
async function makeImage({ host, own }) {
  // A person's own my-machine is never replaced.
  const tag = own ? 'my-machine:latest' : 'slipway-example/my-machine:latest'
  const removeImage = (name) => docker(host, ['image', 'rm', name])
  if ((await ensureBase(host)) !== 'present' && !own) {
    defer(() => removeImage('debian:12'))
  }
  if (!own) {
    defer(() => removeImage(tag))
  }
  await buildHowto(host, tag, {
    // The classic builder says "Step 3/7", BuildKit "#5 [3/7]".
    onLine: (line) => (/^(Step \d|#\d+ \[\d)/.test(line) ? say(line) : undefined),
  })
  return tag
}

async function writeStick(engine, disk) {
  // Not in /tmp, which is memory on many systems.
  const directory = await mkdtemp('/var/tmp/slipway-stick-')
  defer(() => rm(directory, { recursive: true, force: true }))
  const stick = join(directory, 'stick.img')
  await writeFile(stick, '')
  await truncate(stick, STICK_SIZE)
  const attached = await runAsRoot('losetup', ['--find', '--show', stick])
  if (attached.code !== 0) {
    throw new Error(`No loop device can be had for the simulated stick:\n${attached.stderr}`)
  }
  const device = attached.stdout.trim()
  const detach = defer(() => runAsRoot('losetup', ['--detach', device]))
  await slipwayAsRoot(engine, ['flash', disk, device, '--confirm', basename(device)], {
    SLIPWAY_TEST_LOOP_TARGETS: '1',
  })
  await detach()
  const { size } = await stat(disk)
  const compared = await run('cmp', ['--bytes', String(size), disk, stick])
  if (compared.code !== 0) {
    throw new Error(`The stick differs from the disk: ${compared.stdout}${compared.stderr}`)
  }
  say('The stick holds the disk, byte for byte.')
}

async function slipway(engine, args) {
  const env = { ...process.env, DOCKER_HOST: engine.host }
  check(args, await run(process.execPath, [CLI, ...args], { show: true, env }))
}

/** For what needs root: without a desktop nobody can answer polkit's dialog, but sudo can ask in the terminal. */
async function slipwayAsRoot(engine, args, variables = {}) {
  const env = { ...process.env, DOCKER_HOST: engine.host, ...variables }
  check(args, await runAsRoot(process.execPath, [CLI, ...args], { show: true, env }))
}

function check(args, { code }) {
  if (code !== 0) {
    throw new Error(`slipway ${args[0]} ended with exit code ${code}.`)
  }
}
