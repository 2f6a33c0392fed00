import { mkdir, mkdtemp, open, readFile, rm, rmdir, stat, writeFile } from 'node:fs/promises'
import { release } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { build } from '../setup/build.mjs'
import { defer } from '../setup/clean-up.mjs'
import { startEngine } from '../setup/engine.mjs'
import { buildHowto, ensureBase } from '../setup/images.mjs'
import { root } from '../setup/paths.mjs'
import { isRoot, run } from '../setup/run.mjs'
import { say } from '../setup/talk.mjs'
import { inTurn, median, spend } from './measure.mjs'

const ROUNDS = 5
/** Rounds with a drive that is held back: they take long and differ little. */
const SLOW_ROUNDS = 3
/** Bytes a second of a drive that is held back, as fast as a fast stick. */
const STICK_SPEED = 200e6
const MIB = 1024 ** 2
const CLI = join(root, 'out/cli/slipway.cjs')
const IMAGE = 'my-machine:latest'

/**
 * A disk to a drive, against dd of the whole file: `npm run bench -- flash [DISK]`. Without DISK it is the HOWTO's,
 * which is built first. A loop device past the page cache stands for the drive, so this needs root, and its file must
 * lie on a file system that can do so. All ways read the same disk, which is in memory after the first round. Once with
 * the drive as fast as it is, which no stick is, and once with the kernel holding it back to the speed of a stick.
 */
export async function benchFlash() {
  if (!isRoot()) {
    throw new Error('The bench writes a loop device, which needs root.')
  }
  await build()
  const folder = await mkdtemp('/var/tmp/slipway-bench-')
  defer(() => rm(folder, { recursive: true, force: true }))
  const env = { ...process.env, XDG_DATA_HOME: join(folder, 'data'), SLIPWAY_TEST_LOOP_TARGETS: '1' }
  const disk = process.argv[3] === undefined ? await howtoDisk(folder, env) : resolve(process.argv[3])
  const { size } = await stat(disk)
  const device = await makeTarget(join(folder, 'drive'), size + 16 * MIB)
  const name = await driveName(device, env)

  const written = {}
  /** Counts what a way writes to the drive; that belongs to no way's time but costs none. */
  const counted = (way, work) => async () => {
    const before = await bytesWritten(device)
    await work()
    written[way] = (await bytesWritten(device)) - before
  }
  const flash = (...options) =>
    spend(process.execPath, [CLI, 'flash', disk, device, '--confirm', name, ...options], { env })
  const dd = () => spend('dd', [`if=${disk}`, `of=${device}`, 'bs=4M', 'oflag=direct', 'conv=fsync'])
  const ways = {
    dd,
    'slipway flash --no-verify': () => flash('--no-verify'),
    'dd, then cmp': async () => {
      await dd()
      await spend('blockdev', ['--flushbufs', device])
      await spend('cmp', [`--bytes=${size}`, disk, device])
    },
    'slipway flash': () => flash(),
  }
  say(
    `disk: ${disk}, ${Math.round(size / MIB)} MiB; drive: ${device}; Node ${process.version}, Linux ${release()}`,
  )
  say((await run('dd', ['--version'])).stdout.split('\n')[0])
  const measured = Object.fromEntries(Object.entries(ways).map(([way, work]) => [way, counted(way, work)]))
  const rows = [
    ['slipway flash --no-verify', 'dd'],
    ['slipway flash', 'dd'],
    ['slipway flash', 'dd, then cmp'],
  ]
  async function race(rounds, title) {
    const nothing = () => Promise.resolve()
    const times = await inTurn(measured, rounds, nothing, (way, seconds) =>
      say(`${way}: ${seconds.toFixed(2)} s, ${Math.round(written[way] / MIB)} MiB written`),
    )
    say(`\n${title}; medians of ${rounds} runs in turn`)
    for (const [way, against] of rows) {
      const time = (median(times[way]) / median(times[against])).toFixed(2)
      const bytes = (written[way] / written[against]).toFixed(2)
      const seconds = `${median(times[way]).toFixed(2)} s / ${median(times[against]).toFixed(2)} s`
      say(`${way} / ${against}: time ${time} (${seconds}), bytes written ${bytes}`)
    }
    return times
  }
  const result = {
    sizeBytes: size,
    written,
    fast: await race(ROUNDS, 'A drive as fast as this computer’s own'),
  }
  if (await holdBack(device, STICK_SPEED)) {
    say('')
    result.stick = await race(SLOW_ROUNDS, `A drive of ${STICK_SPEED / 1e6} MB/s`)
  } else say('No drive can be held back here: there is no blkio controller of control groups, version 1.')
  await mkdir(join(root, 'artifacts'), { recursive: true })
  await writeFile(join(root, 'artifacts/bench-flash.json'), `${JSON.stringify(result, null, 2)}\n`)
}

/**
 * Lets this process and all that it starts use a drive at a certain speed only (kernel,
 * Documentation/admin-guide/cgroup-v1/blkio-controller.rst).
 * @returns whether that can be done here
 */
async function holdBack(device, bytesPerSecond) {
  const group = `/sys/fs/cgroup/blkio/slipway-bench-${process.pid}`
  const number = (await readFile(`/sys/block/${basename(device)}/dev`, 'utf8')).trim()
  try {
    await mkdir(group)
  } catch {
    return false
  }
  defer(async () => {
    await writeFile('/sys/fs/cgroup/blkio/cgroup.procs', String(process.pid))
    await rmdir(group)
  })
  for (const what of ['read', 'write']) {
    await writeFile(join(group, `blkio.throttle.${what}_bps_device`), `${number} ${bytesPerSecond}`)
  }
  await writeFile(join(group, 'cgroup.procs'), String(process.pid))
  return true
}

async function howtoDisk(folder, env) {
  const engine = await startEngine()
  const stop = defer(engine.stop)
  say(`base: ${await ensureBase(engine.host)}; building the HOWTO's image`)
  await buildHowto(engine.host, IMAGE)
  const disk = join(folder, 'machine.img')
  const args = [CLI, 'build', IMAGE, '-o', disk]
  await spend(process.execPath, args, { env: { ...env, DOCKER_HOST: engine.host } })
  await stop()
  return disk
}

/** A drive full of old data. */
async function makeTarget(path, bytes) {
  const file = await open(path, 'w')
  const old = Buffer.alloc(4 * MIB, 0xaa)
  for (let position = 0; position < bytes; position += old.length) {
    await file.write(old, 0, Math.min(old.length, bytes - position), position)
  }
  await file.sync()
  await file.close()
  const attached = await run('losetup', ['--find', '--show', '--direct-io=on', path])
  if (attached.code !== 0) {
    throw new Error(`No loop device can be had: ${attached.stderr.trim()}`)
  }
  const device = attached.stdout.trim()
  defer(() => run('losetup', ['--detach', device]))
  return device
}

async function driveName(device, env) {
  const listed = await run(process.execPath, [CLI, 'drives', '--json'], { env })
  return JSON.parse(listed.stdout).drives.find((drive) => drive.device === device).name
}

/** Of a block device since it is there: the seventh field counts sectors of 512 bytes (kernel Documentation/block/stat.rst). */
async function bytesWritten(device) {
  const fields = (await readFile(`/sys/block/${basename(device)}/stat`, 'utf8')).trim().split(/\s+/)
  return Number(fields[6]) * 512
}
