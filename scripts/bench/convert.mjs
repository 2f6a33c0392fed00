import { mkdir, mkdtemp, open, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { build } from '../setup/build.mjs'
import { defer } from '../setup/clean-up.mjs'
import { docker, startEngine } from '../setup/engine.mjs'
import { buildHowto, ensureBase } from '../setup/images.mjs'
import { root } from '../setup/paths.mjs'
import { isRoot, run } from '../setup/run.mjs'
import { say } from '../setup/talk.mjs'
import { inTurn, median, spend } from './measure.mjs'

const ROUNDS = 5
const GIB = 1024 ** 3
const DISK_BYTES = 2 * GIB
const IMAGE = 'my-machine:latest'

/**
 * Image to disk and tar to disk, against what does the same by hand. Needs root: the HOWTO's own way does. Every
 * way ends with its output synced, and each writes a new file.
 */
export async function benchConvert() {
  if (!isRoot()) {
    throw new Error("The bench runs the HOWTO's own script, which needs root.")
  }
  await build()
  const engine = await startEngine()
  defer(engine.stop)
  const folder = await mkdtemp('/var/tmp/slipway-bench-')
  defer(() => rm(folder, { recursive: true, force: true }))
  say(`base: ${await ensureBase(engine.host)}; building the HOWTO's image`)
  await buildHowto(engine.host, IMAGE)

  const tar = join(folder, 'rootfs.tar')
  const output = join(folder, 'output')
  const fresh = () => rm(output, { force: true })
  const env = { ...process.env, DOCKER_HOST: engine.host, XDG_DATA_HOME: join(folder, 'data') }
  const container = (await docker(engine.host, ['create', IMAGE, 'true'])).stdout.trim()
  await exportTo(engine.host, container, tar)

  let memory = 0
  const ways = {
    'docker export to a file': async () => {
      await fresh()
      await exportTo(engine.host, container, output)
    },
    'slipway build': async () => {
      await Promise.all([fresh(), rm(`${output}.slipway.json`, { force: true })])
      const args = [
        join(root, 'out/cli/slipway.cjs'),
        'build',
        IMAGE,
        '-o',
        output,
        '--size',
        String(DISK_BYTES),
      ]
      memory = Math.max(memory, await spend(process.execPath, args, { env }))
    },
    "the HOWTO's way": async () => {
      await fresh()
      await howto(engine.host, folder, output)
    },
    'cp of the tar': async () => {
      await fresh()
      await spend('cp', [tar, output])
      await sync(output)
    },
    'tar to disk': async () => {
      await fresh()
      await writeFile(output, '')
      await direct(tar, output)
    },
  }
  if ((await run('genext2fs', ['--version'])).code === 0) {
    ways['genext2fs -a'] = async () => {
      await fresh()
      await spend('genext2fs', [
        '-B',
        '4096',
        '-b',
        String(DISK_BYTES / 4096),
        '-N',
        '131072',
        '-a',
        tar,
        output,
      ])
      await sync(output)
    }
  } else {
    say('genext2fs is not installed: left out')
  }
  const times = await inTurn(ways, ROUNDS, (name, seconds) => say(`${name}: ${seconds.toFixed(2)} s`))
  await docker(engine.host, ['rm', container])

  const middle = Object.fromEntries(Object.entries(times).map(([name, runs]) => [name, median(runs)]))
  const ratio = (what, against, bar) =>
    say(`${what} / ${against}: ${(middle[what] / middle[against]).toFixed(2)} (bar: ${bar})`)
  say('\nMedians of ' + ROUNDS + ' runs in turn')
  for (const [name, seconds] of Object.entries(middle)) {
    say(`  ${name}: ${seconds.toFixed(2)} s`)
  }
  ratio('slipway build', 'docker export to a file', 'at most 1.10')
  ratio('slipway build', "the HOWTO's way", 'at most 0.5')
  ratio('tar to disk', 'cp of the tar', 'at most 1.3')
  if ('genext2fs -a' in middle) {
    ratio('tar to disk', 'genext2fs -a', 'at most 0.33')
  }
  say(`most memory of slipway build: ${(memory / 1e6).toFixed(0)} MB (bar: 160)`)
  await mkdir(join(root, 'artifacts'), { recursive: true })
  await writeFile(
    join(root, 'artifacts/bench-convert.json'),
    `${JSON.stringify({ times, memory }, null, 2)}\n`,
  )
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
  const created = (await docker(host, ['create', IMAGE, 'true'])).stdout.trim()
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

/** The direct engine alone: the tar as a data disk, without boot files, as genext2fs makes one. */
async function direct(tar, path) {
  await truncate(path, 0)
  const settings = {
    size: { bytes: DISK_BYTES },
    table: 'mbr',
    uuid: '11111111-2222-4333-8444-555555555555',
    label: 'bench',
    diskSignature: 1,
    time: 0,
    edits: { removed: [], emptied: [], added: [] },
    boot: null,
    manifest: false,
  }
  const worker = new Worker(join(root, 'out/direct/direct.cjs'), {
    workerData: { source: { kind: 'file', path: tar }, path, settings },
  })
  await new Promise((resolve, reject) => {
    worker.on('error', reject)
    worker.on('message', (message) => {
      if (message.type === 'done') resolve()
      if (message.type === 'failed' || message.type === 'error') reject(new Error(JSON.stringify(message)))
    })
  })
  await worker.terminate()
}
