import { mkdir, mkdtemp, open, rm, stat, writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { build } from '../setup/build.mjs'
import { defer } from '../setup/clean-up.mjs'
import { docker, startEngine } from '../setup/engine.mjs'
import { buildHowto, ensureBase } from '../setup/images.mjs'
import { root } from '../setup/paths.mjs'
import { isRoot, run } from '../setup/run.mjs'
import { say } from '../setup/talk.mjs'
import { inTurn, median, spend } from './measure.mjs'
import { newerMke2fs } from './newer-mke2fs.mjs'
import { barPicture } from './picture.mjs'
import { servedTar, writeTar } from './tar.mjs'

const ROUNDS = 5
const MIB = 1024 ** 2
const GIB = 1024 ** 3
const DISK_BYTES = 2 * GIB
const HOWTO = 'my-machine:latest'
const CROWDED = 'slipway-bench-crowded:latest'
/** The image with more files than content. */
const CROWD = { files: 100_000, bytesEach: 600, perDirectory: 50 }
const PICTURE = 'docs/bench-convert.svg'

/**
 * Image to disk and tar to disk, against what does the same by hand; then how time, memory and bytes grow. Needs
 * root: the HOWTO's own way does. Every way ends with its output synced, and each writes a new file.
 */
export async function benchConvert() {
  if (!isRoot()) {
    throw new Error("The bench runs the HOWTO's own script, which needs root.")
  }
  await build()
  const folder = await mkdtemp('/var/tmp/slipway-bench-')
  defer(() => rm(folder, { recursive: true, force: true }))
  const mke2fs = await newerMke2fs(join(folder, 'mke2fs'))
  if (typeof mke2fs === 'string') {
    say(`mke2fs of 1.47.1 or newer is not to be had, left out: ${mke2fs}`)
  }
  const host = await engineWithImages(folder)
  const bench = { host, folder, output: join(folder, 'output'), mke2fs }

  const versions = await versionsOf(bench)
  say(versions.join('\n'))
  const howto = await race(bench, HOWTO, true)
  const crowded = await race(bench, CROWDED, false)
  const growth = await measureGrowth(bench)

  const figures = [
    ...ratios("the HOWTO's image", howto),
    ...ratios('the crowded image', crowded),
    ...growth.figures,
  ]
  say('')
  for (const { what, value, bar } of figures) {
    say(`${what}: ${value} (bar: ${bar})`)
  }
  await mkdir(join(root, 'artifacts'), { recursive: true })
  const report = { versions, howto, crowded, growth: growth.runs, figures }
  await writeFile(join(root, 'artifacts/bench-convert.json'), `${JSON.stringify(report, null, 2)}\n`)
  await draw(howto, crowded)
}

/** The engine of the tests where one is given, or one of our own, with both images in it. */
async function engineWithImages(folder) {
  const given = process.env.SLIPWAY_TEST_ENGINE
  let host = `unix://${given}`
  if (given === undefined) {
    const engine = await startEngine()
    defer(engine.stop)
    host = engine.host
  }
  if ((await docker(host, ['image', 'inspect', HOWTO])).code !== 0) {
    say(`base: ${await ensureBase(host)}; building the HOWTO's image`)
    await buildHowto(host, HOWTO)
  }
  const tar = join(folder, 'crowd.tar')
  await writeTar(tar, CROWD)
  const imported = await docker(host, ['import', tar, CROWDED])
  defer(() => docker(host, ['image', 'rm', CROWDED]))
  await rm(tar)
  if (imported.code !== 0) {
    throw new Error(`The crowded image could not be made:\n${imported.stderr}`)
  }
  return host
}

/** What the figures were measured with. */
async function versionsOf({ host, mke2fs }) {
  const answer = async (command, args) => {
    const { stdout, stderr } = await run(command, args)
    return `${stdout}${stderr}`.trim().split('\n')[0]
  }
  return [
    `processor: ${cpus().length} cores, ${cpus()[0]?.model ?? 'of unknown make'}`,
    `node: ${process.version}`,
    `engine: ${(await docker(host, ['version', '--format', '{{.Server.Version}}'])).stdout.trim()}`,
    `genext2fs: ${await answer('genext2fs', ['--version'])}`,
    `mke2fs: ${typeof mke2fs === 'string' ? 'left out' : mke2fs.version}`,
    `tar: ${await answer('tar', ['--version'])}`,
    `cp: ${await answer('cp', ['--version'])}`,
  ]
}

/**
 * All ways of one image, in turn.
 * @param {boolean} boots whether it has a kernel; without one a data disk is made, and the HOWTO's way is left out
 * @returns {Promise<{ times: Record<string, number[]>, middle: Record<string, number>, memoryBytes: number }>}
 */
async function race({ host, folder, output, mke2fs }, image, boots) {
  const tar = join(folder, 'rootfs.tar')
  const container = (await docker(host, ['create', image, 'true'])).stdout.trim()
  const removeContainer = defer(() => docker(host, ['rm', container]))
  await exportTo(host, container, tar)
  const env = { ...process.env, DOCKER_HOST: host, XDG_DATA_HOME: join(folder, 'data') }
  const fresh = () =>
    Promise.all(
      ['', '.slipway.json', '.slipway-map.json'].map((end) => rm(`${output}${end}`, { force: true })),
    )
  let memoryBytes = 0
  const ways = {
    'docker export to a file': () => exportTo(host, container, output),
    // What no way out of the engine can be faster than.
    'docker export to nowhere': async () => {
      const nowhere = await open('/dev/null', 'w')
      await spend('docker', ['--host', host, 'export', container], { output: nowhere.fd })
      await nowhere.close()
    },
    'slipway build': async () => {
      const args = [join(root, 'out/cli/slipway.cjs'), 'build', image, '-o', output]
      const options = ['--size', String(DISK_BYTES), ...(boots ? [] : ['--no-boot'])]
      memoryBytes = Math.max(memoryBytes, await spend(process.execPath, [...args, ...options], { env }))
    },
    "the HOWTO's way": () => howto(host, folder, output),
    'cp of the tar': async () => {
      await spend('cp', [tar, output])
      await sync(output)
    },
    // What no way to write them can be faster than.
    'the same bytes by dd': () =>
      spend('dd', [`if=${tar}`, `of=${output}`, 'bs=2M', 'oflag=direct', 'conv=fsync', 'status=none']),
    'slipway build --rootfs': async () => {
      const args = [join(root, 'out/cli/slipway.cjs'), 'build', '--rootfs', tar, '-o', output, '--no-boot']
      const options = ['--size', String(DISK_BYTES)]
      memoryBytes = Math.max(memoryBytes, await spend(process.execPath, [...args, ...options], { env }))
    },
    'slipway, tar to disk': () => oneDisk({ content: { tar }, path: output, diskBytes: DISK_BYTES }),
    'mke2fs -d tar': async () => {
      const size = `${DISK_BYTES / MIB}M`
      await spend(mke2fs.command, [
        ...mke2fs.args,
        '-q',
        '-F',
        '-t',
        'ext4',
        '-N',
        '131072',
        '-d',
        tar,
        output,
        size,
      ])
      await sync(output)
    },
    'genext2fs -a': async () => {
      const size = ['-B', '4096', '-b', String(DISK_BYTES / 4096), '-N', '131072']
      await spend('genext2fs', [...size, '-a', tar, output])
      await sync(output)
    },
  }
  if (!boots) delete ways["the HOWTO's way"]
  if (typeof mke2fs === 'string') delete ways['mke2fs -d tar']
  if ((await run('genext2fs', ['--version'])).code !== 0) delete ways['genext2fs -a']
  say(`\n${image}: exported tar of ${((await stat(tar)).size / 1e6).toFixed(0)} MB`)
  const times = await inTurn(ways, ROUNDS, fresh, (name, seconds) => say(`${name}: ${seconds.toFixed(2)} s`))
  await fresh()
  await removeContainer()
  const middle = Object.fromEntries(Object.entries(times).map(([name, runs]) => [name, median(runs)]))
  say(`medians of ${ROUNDS} runs in turn:`)
  for (const [name, seconds] of Object.entries(middle)) {
    say(`  ${name}: ${seconds.toFixed(2)} s`)
  }
  return { times, middle, memoryBytes }
}

/** The figures out of one image's race. */
function ratios(where, { middle, memoryBytes }) {
  const comparisons = [
    ['slipway build', 'docker export to a file', 'at most 1.10'],
    ['slipway build', "the HOWTO's way", 'at most 0.50'],
    ['docker export to nowhere', "the HOWTO's way", 'no bar: the least that is left of the one before'],
    ['slipway build --rootfs', 'cp of the tar', 'at most 1.30'],
    ['slipway build --rootfs', 'genext2fs -a', 'at most 0.33'],
    ['slipway, tar to disk', 'cp of the tar', 'at most 1.30'],
    ['slipway, tar to disk', 'mke2fs -d tar', 'at most 0.33'],
    ['slipway, tar to disk', 'genext2fs -a', 'at most 0.33'],
    ['the same bytes by dd', 'mke2fs -d tar', 'no bar: what writing alone takes'],
  ]
  const figures = comparisons
    .filter(([, against]) => against in middle)
    .map(([what, against, bar]) => ({
      what: `${where}, ${what} / ${against}`,
      value: (middle[what] / middle[against]).toFixed(2),
      bar,
    }))
  const value = `${(memoryBytes / 1e6).toFixed(0)} MB`
  return [...figures, { what: `${where}, most memory of slipway build`, value, bar: 'at most 160 MB' }]
}

/** How time, memory and bytes grow with the content. The time is the processor's: it does not depend on who else is at work. */
async function measureGrowth({ folder, output }) {
  const shapes = {
    few: { files: 10_000, bytesEach: 3000, perDirectory: 50 },
    many: { files: 100_000, bytesEach: 3000, perDirectory: 50 },
    oneSmallDirectory: { files: 10_000, bytesEach: 0, perDirectory: 10_000 },
    oneDirectory: { files: 100_000, bytesEach: 0, perDirectory: 100_000 },
    crowd: { files: 400_000, bytesEach: 100, perDirectory: 50 },
    gigabyte: { files: 100, bytesEach: 10_000_000, perDirectory: 50 },
    twentyGigabytes: { files: 2000, bytesEach: 10_000_000, perDirectory: 50 },
  }
  const runs = {}
  for (const [name, shape] of Object.entries(shapes)) {
    const socket = join(folder, 'shape.sock')
    const stop = await servedTar(socket, shape)
    runs[name] = await oneDisk({ content: { socket }, path: output, diskBytes: 64 * GIB })
    stop()
    runs[name].contentBytes = shape.files * shape.bytesEach
    await rm(output)
    const { seconds, processorSeconds, memoryBytes } = runs[name]
    const cost = `${seconds.toFixed(2)} s, of the processor ${processorSeconds.toFixed(2)} s, ${(memoryBytes / 1e6).toFixed(0)} MB`
    say(`${shape.files} files of ${shape.bytesEach} bytes, ${shape.perDirectory} to a directory: ${cost}`)
  }
  const tar = join(folder, 'crowd.tar')
  await writeTar(tar, shapes.crowd)
  const crowdArgs = [join(root, 'out/cli/slipway.cjs'), 'build', '--rootfs', tar, '-o', output, '--no-boot']
  const env = { ...process.env, XDG_DATA_HOME: join(folder, 'data') }
  runs.crowdByRootfs = { memoryBytes: await spend(process.execPath, crowdArgs, { env }) }
  await Promise.all([tar, output].map((path) => rm(path)))
  const times = (more, less) => (runs[more].processorSeconds / runs[less].processorSeconds).toFixed(1)
  const { bytesWritten, contentBytes } = runs.gigabyte
  const beyond = (bytesWritten - contentBytes) / MIB
  const megabytes = (name) => `${(runs[name].memoryBytes / 1e6).toFixed(0)} MB`
  const figures = [
    { what: 'ten times the files and bytes, times the time', value: times('many', 'few'), bar: 'at most 11' },
    {
      what: 'a directory of 100,000 files against one of 10,000, times the time',
      value: times('oneDirectory', 'oneSmallDirectory'),
      bar: 'at most 11',
    },
    {
      what: '1 GB on a disk of 64 GiB, written beyond the content',
      value: `${beyond.toFixed(1)} MiB`,
      bar: `at most ${((contentBytes * 0.01) / MIB + 80).toFixed(0)} MiB`,
    },
    { what: 'the engine alone, most memory with 1 GB', value: megabytes('gigabyte'), bar: 'at most 160 MB' },
    { what: 'the same with 20 GB', value: megabytes('twentyGigabytes'), bar: 'the same' },
    { what: 'the same with 400,000 files', value: megabytes('crowd'), bar: 'at most 160 MB' },
    {
      what: 'slipway build --rootfs, most memory with 400,000 files',
      value: megabytes('crowdByRootfs'),
      bar: 'at most 160 MB',
    },
  ]
  return { runs, figures }
}

/** Runs `one-disk.mjs`. */
async function oneDisk(wanted) {
  const script = join(root, 'scripts/bench/one-disk.mjs')
  const made = await run(process.execPath, [script, JSON.stringify(wanted)])
  if (made.code !== 0) {
    throw new Error(`The direct engine failed:\n${made.stderr}`)
  }
  return JSON.parse(made.stdout)
}

async function draw(howto, crowded) {
  const bars = ({ middle }, names) =>
    names
      .filter((name) => name in middle)
      .map((name) => ({ name, seconds: middle[name], isOurs: name.startsWith('slipway') }))
  const image = ['slipway build', 'docker export to a file', "the HOWTO's way"]
  const tar = [
    'slipway, tar to disk',
    'slipway build --rootfs',
    'cp of the tar',
    'mke2fs -d tar',
    'genext2fs -a',
  ]
  const groups = [
    { title: "The HOWTO's image, from the engine to a synced disk", bars: bars(howto, image) },
    { title: 'Its exported tar to a synced disk', bars: bars(howto, tar) },
    { title: 'An image of 100,000 small files, from the engine', bars: bars(crowded, image) },
    { title: 'Its exported tar to a synced disk', bars: bars(crowded, tar) },
  ]
  const caption = `Medians of ${ROUNDS} runs in turn, shorter is better. npm run bench -- convert`
  await writeFile(join(root, PICTURE), barPicture(groups, caption))
  say(`\nThe picture: ${PICTURE}`)
}

async function sync(path) {
  const file = await open(path, 'r+')
  await file.sync()
  await file.close()
}

async function exportTo(host, container, path) {
  const file = await open(path, 'w')
  await spend('docker', ['--host', host, 'export', container], { output: file.fd })
  await file.sync()
  await file.close()
}

/** The steps of the HOWTO with its own tools, as its author does them; the loop device by offset. */
async function howto(host, folder, disk) {
  const mount = join(folder, 'mount')
  const archive = join(folder, 'container.tar')
  await mkdir(mount, { recursive: true })
  await spend('fallocate', ['--length', String(DISK_BYTES), disk])
  const script = join(folder, 'table')
  await writeFile(script, 'label: dos\nstart=2048, type=83, bootable\n')
  const table = await open(script)
  await spend('sfdisk', ['--quiet', disk], { input: table.fd })
  await table.close()
  const attached = await run('losetup', ['--find', '--show', '--offset', String(2048 * 512), disk])
  const loop = attached.stdout.trim()
  const detach = defer(() => run('losetup', ['--detach', loop]))
  await spend('mkfs.ext4', ['-q', '-O', '^64bit,^metadata_csum_seed,^orphan_file', loop])
  await spend('mount', [loop, mount])
  const unmount = defer(() => run('umount', [mount]))
  const created = (await docker(host, ['create', HOWTO, 'true'])).stdout.trim()
  await spend('docker', ['--host', host, 'export', '-o', archive, created])
  await spend('tar', ['-C', mount, '--numeric-owner', '-xf', archive])
  await docker(host, ['rm', created])
  await spend('extlinux', ['--install', join(mount, 'boot')])
  await unmount()
  await detach()
  await spend('dd', ['if=/usr/lib/syslinux/mbr/mbr.bin', `of=${disk}`, 'bs=440', 'count=1', 'conv=notrunc'])
  await sync(disk)
  await rm(archive)
}
