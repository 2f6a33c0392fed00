import { spawn, type ChildProcess } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, mkdtemp, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { JOB_LABEL } from '../../src/main/docker/container'
import { importImage, makeTar, startDaemon, type Daemon } from '../support/daemon'
import { layerOf, machineWords, newDockerSave, tarOf } from '../support/image-archives'
import { attachLoop, detachLoop } from '../support/loop'
import { buildPrograms } from '../support/programs'

const MIB = 1024 * 1024
/** What the packages that stay outside of the bundle are found from. */
const programs = resolve('out/test')

let daemon: Daemon
let folder: string

beforeAll(async () => {
  await buildPrograms(programs, ['cli', 'helper', 'direct', 'archive'])
  daemon = await startDaemon()
  // Not a machine that boots, but one that can be built: the boot itself is tested with the HOWTO's.
  const machine = makeTar([
    ...['boot', 'sbin', 'etc'].map((name) => ({ name, type: '5' as const })),
    { name: 'boot/vmlinuz-6.1.0-test', content: randomBytes(MIB) },
    { name: 'boot/initrd.img-6.1.0-test', content: randomBytes(MIB) },
    { name: 'vmlinuz', type: '2', target: 'boot/vmlinuz-6.1.0-test' },
    { name: 'initrd.img', type: '2', target: 'boot/initrd.img-6.1.0-test' },
    { name: 'sbin/init', content: 'x', mode: 0o755 },
    { name: 'etc/large', content: randomBytes(200 * MIB) },
  ])
  await importImage(daemon.docker, machine, 'machine:1')
  await importImage(daemon.docker, makeTar([{ name: 'app', content: 'x' }]), 'app:1')
})
afterAll(async () => {
  await daemon.remove()
  await rm(programs, { recursive: true, force: true })
})
beforeEach(async () => {
  folder = await mkdtemp('/var/tmp/slipway-cli-')
  await mkdir(join(folder, 'disks'))
})
afterEach(async () => {
  await rm(folder, { recursive: true })
})

interface Ended {
  code: number | null
  /** The object on stdout; null when nothing was written. */
  answer: {
    ok: boolean
    failure?: { code: string; facts: unknown }
    cancelled?: boolean
    usage?: string
  } | null
  stderr: string
}

interface Running {
  process: ChildProcess
  /** Resolves when a phase is reported. */
  reached(phase: string): Promise<void>
  ended: Promise<Ended>
}

function start(words: string[], environment: Record<string, string> = {}): Running {
  const child = spawn(process.execPath, [join(programs, 'cli/slipway.cjs'), ...words, '--json'], {
    env: {
      ...process.env,
      DOCKER_HOST: `unix://${daemon.socket}`,
      XDG_DATA_HOME: join(folder, 'data'),
      SLIPWAY_TEST_LOOP_TARGETS: '1',
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (bytes: Buffer) => (stdout += bytes.toString()))
  child.stderr.on('data', (bytes: Buffer) => (stderr += bytes.toString()))
  const ended = once(child, 'close').then(([code]: unknown[]) => ({
    code: code as number | null,
    answer: stdout === '' ? null : (JSON.parse(stdout) as Ended['answer']),
    stderr,
  }))
  return {
    process: child,
    ended,
    async reached(phase) {
      while (!stderr.includes(`"phase":"${phase}"`)) {
        if (child.exitCode !== null) throw new Error(`it ended before ${phase}:\n${stderr}${stdout}`)
        await sleep(10)
      }
    },
  }
}

const slipway = (...words: string[]): Promise<Ended> => start(words).ended
const disk = (name = 'a.img'): string => join(folder, 'disks', name)
const disks = async (): Promise<string[]> => (await readdir(join(folder, 'disks'))).sort()
const containers = () => daemon.docker.listContainers({ all: true, filters: { label: [JOB_LABEL] } })

/** Files of this test's folder that are attached to a loop device. */
async function loops(): Promise<string[]> {
  const found: string[] = []
  for (const name of await readdir('/sys/block')) {
    const path = await readFile(join('/sys/block', name, 'loop/backing_file'), 'utf8').catch(() => '')
    if (path.startsWith(folder)) found.push(path)
  }
  return found
}

async function expectNothingLeft(): Promise<void> {
  expect(await disks()).toEqual([])
  expect(await loops()).toEqual([])
}

test('an archive is built without any engine, and one that holds several images says which', async () => {
  const archive = join(folder, 'saved.tar')
  const machine = { names: ['machine:1'], layers: [layerOf(machineWords)] }
  const other = { names: ['other:1'], layers: [layerOf(['x=1'])] }
  await writeFile(archive, tarOf(newDockerSave([machine, other])))
  const build = (...words: string[]) =>
    start(['build', '--archive', archive, ...words], { DOCKER_HOST: 'unix:///nowhere' }).ended
  const path = join(folder, 'disks/archive.img')
  expect(await build('-o', path)).toMatchObject({
    code: 1,
    answer: {
      failure: {
        code: 'archive-choice',
        facts: { images: ['machine:1 (linux/amd64)', 'other:1 (linux/amd64)'] },
      },
    },
  })
  for (const engine of ['direct', 'kernel']) {
    expect(await build('--name', 'machine:1', '--engine', engine, '-o', path)).toMatchObject({
      code: 0,
      answer: { ok: true, disk: { source: { image: 'machine:1' } } },
    })
    await rm(path)
  }
})

test('two containers of one image give one disk, without boot files too', async () => {
  const sums = new Set<string>()
  for (const name of ['a.img', 'b.img']) {
    expect(await slipway('build', 'app:1', '--no-boot', '-o', disk(name))).toMatchObject({ code: 0 })
    sums.add(
      createHash('sha256')
        .update(await readFile(disk(name)))
        .digest('hex'),
    )
    // Their times of creation are seconds.
    await sleep(1100)
  }
  expect(sums.size).toBe(1)
})

describe.each([
  ['kernel', ['prepare', 'format', 'copy', 'bootloader', 'check'], ['a.img', 'a.img.slipway.json']],
  // Only who writes the blocks knows which ones matter.
  ['direct', ['prepare', 'copy'], ['a.img', 'a.img.slipway-map.json', 'a.img.slipway.json']],
])('slipway build by the %s engine', (engine, ownPhases, written) => {
  const machine = (...words: string[]): string[] => ['build', 'machine:1', '--engine', engine, ...words]

  test('makes a disk, its record and an entry in the list; and never a second one over it', async () => {
    const { code, answer, stderr } = await slipway(...machine('-o', disk()))
    expect([code, answer?.ok]).toEqual([0, true])
    expect(await disks()).toEqual(written)
    expect(await readdir(join(folder, 'data/slipway/disks'))).toHaveLength(1)
    const lines = stderr.trim().split('\n')
    const messages = lines.map((line) => JSON.parse(line) as { type: string; phase: string })
    const phases = messages.filter(({ type }) => type === 'progress').map(({ phase }) => phase)
    expect([...new Set(phases)]).toEqual(ownPhases)
    expect(await containers()).toEqual([])
    expect(await loops()).toEqual([])

    const before = await stat(disk())
    const again = await slipway(...machine('-o', disk()))
    expect([again.code, again.answer?.failure?.code]).toEqual([1, 'output-exists'])
    expect((await stat(disk())).mtimeMs).toBe(before.mtimeMs)
  })

  test('refuses what cannot become a machine before it writes anything', async () => {
    const attempt = async (...words: string[]): Promise<unknown[]> => {
      const { code, answer } = await slipway('build', '--engine', engine, ...words)
      return [code, answer?.failure?.code ?? answer?.usage]
    }
    expect(await attempt('app:1', '-o', disk())).toEqual([1, 'kernel-missing'])
    expect(await attempt('nobody:1', '-o', disk())).toEqual([1, 'image-gone'])
    expect(await attempt('machine:1', '-o', disk(), '--size', '100M')).toEqual([1, 'size-too-small'])
    expect(await attempt('machine:1', '-o', disk(), '--size', '3T')).toEqual([1, 'size-too-large'])
    expect(await attempt('machine:1', '-o', disk('no/a.img'))).toEqual([1, 'output-folder-missing'])
    expect((await attempt('machine:1'))[0]).toBe(2)
    await expectNothingLeft()
    expect(await containers()).toEqual([])
  })

  test('Ctrl-C cancels and cleans up, a second one does not cut that short', async () => {
    for (const phase of ownPhases.slice(0, 3)) {
      const running = start(machine('-o', disk()))
      await running.reached(phase)
      running.process.kill('SIGINT')
      running.process.kill('SIGINT')
      const { code, answer } = await running.ended
      expect([phase, code, answer]).toEqual([phase, 130, { ok: false, cancelled: true }])
      await expectNothingLeft()
      expect(await containers()).toEqual([])
    }
  })

  test('an engine that is killed in the middle leaves nothing, and the next build tidies up after it', async () => {
    const running = start(machine('-o', disk()))
    await running.reached('copy')
    await daemon.end('SIGKILL')
    const { code, answer } = await running.ended
    expect([code, answer?.failure?.code]).toEqual([1, 'engine-lost'])
    await expectNothingLeft()
    await daemon.start()
    expect((await slipway(...machine('-o', disk()))).code).toBe(0)
    expect(await containers()).toEqual([])
  })

  test('killed itself it leaves nothing that looks finished, and a second try works and tidies up', async () => {
    const running = start(machine('-o', disk()))
    await running.reached('copy')
    running.process.kill('SIGKILL')
    await running.ended
    expect((await disks()).filter((name) => !name.endsWith('.slipway-part'))).toEqual([])
    expect((await slipway(...machine('-o', disk()))).code).toBe(0)
    expect(await disks()).toEqual(written)
    expect(await containers()).toEqual([])
    expect(await loops()).toEqual([])
  })
})

describe('slipway flash', () => {
  let device: string
  beforeEach(async () => {
    const file = await open(join(folder, 'stick'), 'w')
    await file.truncate(1024 * MIB)
    await file.close()
    device = await attachLoop(join(folder, 'stick'))
  })
  afterEach(async () => {
    await detachLoop(device, join(folder, 'stick'))
  })

  test('writes the disk after its confirmation, and refuses all else', async () => {
    expect((await slipway('build', 'machine:1', '-o', disk(), '--size', '512M')).code).toBe(0)
    const listed = (await slipway('drives')).answer as unknown as {
      drives: { device: string; name: string }[]
    }
    const name = listed.drives.find((drive) => drive.device === device)?.name ?? ''
    const attempt = async (...words: string[]): Promise<unknown[]> => {
      const { code, answer } = await slipway('flash', disk(), ...words)
      return [code, answer?.failure?.code]
    }
    expect(await attempt(device)).toEqual([2, undefined])
    expect(await attempt(device, '--confirm', 'wrong')).toEqual([3, 'confirmation-wrong'])
    expect(await attempt('/dev/nobody', '--confirm', name)).toEqual([1, 'not-found'])
    const start = Buffer.alloc(MIB)
    const read = async (path: string): Promise<Buffer> => {
      const file = await open(path, 'r')
      await file.read(start, 0, MIB, 0)
      await file.close()
      return Buffer.from(start)
    }
    expect((await read(device)).equals(Buffer.alloc(MIB))).toBe(true)
    expect(await attempt(device, '--confirm', name)).toEqual([0, undefined])
    expect((await read(device)).equals(await read(disk()))).toBe(true)
  })
})

test('an engine that is not there is said to be so', async () => {
  const child = spawn(process.execPath, [join(programs, 'cli/slipway.cjs'), 'images'], {
    env: { ...process.env, DOCKER_HOST: `unix://${folder}/none.sock` },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stderr = ''
  child.stderr.on('data', (bytes: Buffer) => (stderr += bytes.toString()))
  const [code] = (await once(child, 'close')) as [number]
  expect(code).toBe(1)
  expect(stderr).toContain(`nothing answers at ${folder}/none.sock`)
})
