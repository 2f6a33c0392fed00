import { execa } from 'execa'
import { chown, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { bundleForNode } from '../support/bundle'
import {
  checkFileSystem,
  DISK_UUID,
  eventually,
  exportImage,
  loopsOf,
  makeDiskFile,
  makeFolder,
  processesNaming,
  withMounted,
} from '../support/elevation'
import type { ElevationOrder } from '../support/elevation-process'
import { testEngine } from '../support/engine'
import { startDbusAndPolkit, type TestPolkit } from '../support/polkit'

const MIB = 1024 * 1024

let folder = ''
let helper = ''
let tar = ''
let home = ''
let disk = ''
let polkit: TestPolkit

beforeAll(async () => {
  ;({ folder, helper } = await makeFolder())
  await bundleForNode(resolve('test/support/elevation-process.ts'), folder, 'build')
  const engine = await testEngine()
  try {
    tar = join(folder, 'howto.tar')
    await exportImage(engine.socket, engine.howtoImage, tar)
  } finally {
    await engine.stop()
  }
  polkit = await startDbusAndPolkit('grant')
  home = join(folder, 'home')
  await mkdir(home, { mode: 0o700 })
  await chown(home, polkit.user.uid, polkit.user.gid)
  disk = join(home, 'disk.img')
})
afterEach(async () => {
  expect(await eventually(async () => (await loopsOf(disk)).length === 0)).toBe(true)
  expect(await eventually(async () => (await processesNaming(helper)).length === 0)).toBe(true)
  expect(await readdir(`${polkit.user.home}/tmp`)).toEqual([])
  await rm(disk, { force: true })
})
afterAll(async () => {
  await polkit.stop()
  await rm(folder, { recursive: true })
})

type Child = ReturnType<typeof startBuild>

interface Said {
  phase?: string
  done?: number
  log?: string
  result?: unknown
  thrown?: string
}

/** A build by the ordinary user, in a process of the user's own. */
function startBuild(changes: Partial<ElevationOrder> = {}, before: string[] = []) {
  const order: ElevationOrder = {
    executable: process.execPath,
    helper,
    tar,
    path: disk,
    sizeBytes: 3000 * MIB,
    uuid: DISK_UUID,
    ...changes,
  }
  const [program = '', ...words] = [
    ...before,
    ...['setpriv', `--reuid=${polkit.user.uid}`, `--regid=${polkit.user.gid}`, '--clear-groups', '--'],
    ...[process.execPath, join(folder, 'build.cjs'), JSON.stringify(order)],
  ]
  return execa(program, words, { env: polkit.env, extendEnv: false, cwd: home, reject: false, stdin: 'pipe' })
}

/** What the process said, to its end; `onLine` sees each line as it comes. */
async function listen(child: Child, onLine: (said: Said) => void = () => undefined): Promise<Said[]> {
  const said: Said[] = []
  for await (const line of createInterface(child.stdout)) {
    said.push(JSON.parse(line) as Said)
    onLine(said.at(-1) ?? {})
  }
  await child
  return said
}

const resultOf = async (child: Child): Promise<unknown> => (await listen(child)).at(-1)?.result
const failed = (code: string, facts: object = {}): object => ({ ok: false, failure: { code, facts } })

describe('an ordinary user whom polkit grants it', () => {
  beforeAll(() => polkit.answer('grant'))

  test('builds the HOWTO’s disk by sudo-prompt, and owns it', async () => {
    await makeDiskFile(disk, polkit.user)
    expect(await resultOf(startBuild())).toEqual({ ok: true, value: null })
    expect((await stat(disk)).uid).toBe(polkit.user.uid)
    await checkFileSystem(disk)
    await withMounted(disk, async (root) => {
      expect((await readdir(join(root, 'boot'))).some((name) => name.startsWith('vmlinuz-'))).toBe(true)
      expect((await stat(join(root, 'etc/shadow'))).gid).toBe(42)
      await expect(stat(join(root, '.dockerenv'))).rejects.toThrow()
    })
  })

  test('cannot have it write what is not the user’s own', async () => {
    await makeDiskFile(disk, { uid: 0, gid: 0 })
    expect(await resultOf(startBuild())).toEqual(failed('output-forbidden', { path: disk }))
    expect((await stat(disk)).size).toBe(0)
  })

  test('cancels it, and all is cleaned up when that is said', async () => {
    await makeDiskFile(disk, polkit.user)
    const child = startBuild()
    const said = await listen(child, ({ done }) => {
      if (done !== undefined && done > 100 * MIB) child.stdin.end('cancel\n')
    })
    expect(said.at(-1)).toEqual({ thrown: 'Error: cancelled' })
    expect(await loopsOf(disk)).toEqual([])
    expect(await processesNaming(helper)).toEqual([])
  })

  test('is killed in the middle: the helper ends and cleans up', async () => {
    await makeDiskFile(disk, polkit.user)
    const child = startBuild()
    const said = await listen(child, ({ done }) => {
      if (done !== undefined && done > 100 * MIB) child.kill('SIGKILL')
    })
    expect(said.at(-1)?.result).toBeUndefined()
  })

  test('cannot have a helper started whose path a shell would read', async () => {
    await makeDiskFile(disk, polkit.user)
    const odd = join(folder, 'out/$(touch hacked)/helper.cjs')
    expect(await resultOf(startBuild({ helper: odd }))).toEqual(
      failed('elevation-unsafe-path', { path: odd }),
    )
    expect(await readdir(home)).toEqual(['disk.img'])
  })

  test('hears what a helper that does not start had to say', async () => {
    await makeDiskFile(disk, polkit.user)
    const result = await resultOf(startBuild({ helper: join(folder, 'no-helper.cjs') }))
    expect(result).toMatchObject({ ok: false, failure: { code: 'helper-lost' } })
    expect(JSON.stringify(result)).toContain('Cannot find module')
  })
})

describe('an ordinary user who', () => {
  test('is refused by polkit hears so, and nothing is left', async () => {
    await polkit.answer('refuse')
    await makeDiskFile(disk, polkit.user)
    expect(await resultOf(startBuild())).toEqual(failed('elevation-refused'))
    expect((await stat(disk)).size).toBe(0)
  })

  test('has nobody to ask for the password hears so', async () => {
    const rule = `/etc/polkit-1/rules.d/00-${polkit.user.name}.rules`
    await writeFile(rule, (await readFile(rule, 'utf8')).replace(/Result\.\w+/, 'Result.AUTH_ADMIN'))
    await makeDiskFile(disk, polkit.user)
    let result: unknown = null
    // polkit reads a changed rule in its own time.
    await eventually(async () => {
      result = await resultOf(startBuild())
      return JSON.stringify(result) !== JSON.stringify(failed('elevation-refused'))
    })
    expect(result).toEqual(failed('elevation-no-agent'))
  })

  test('has no system bus is told that permission cannot be asked for, not that it was refused', async () => {
    await makeDiskFile(disk, polkit.user)
    const withoutBus = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c']
    const hide = 'mount -t tmpfs tmpfs /run/dbus && exec "$@"'
    expect(await resultOf(startBuild({}, [...withoutBus, hide, 'sh']))).toEqual(failed('elevation-missing'))
  })
})
