import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { copyFile, mkdtemp, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { decodeMbr, LINUX_TYPE } from '../../src/main/disk/mbr'
import { diskIdOf, picturePath, sidecarPath } from '../../src/main/library/library'
import { diskRecordSchema, type DiskRecord } from '../../src/shared/disk'
import type { BootOutcome, Proof } from '../../src/shared/proof'
import { writeEspDisk, writeTinyEspDisk } from '../support/esp-disk'
import { buildPrograms } from '../support/programs'
import { writeTinyDisk } from '../support/tiny-disk'

/** A disk with the HOWTO's Debian, made by whoever runs this test; its record lies beside it. */
const howtoDisk = process.env['SLIPWAY_TEST_HOWTO_DISK']

const execute = promisify(execFile)
const programs = resolve('out/test')
let folder = ''
let disk = ''
beforeAll(() => buildPrograms(programs, ['cli']))
afterAll(() => rm(programs, { recursive: true, force: true }))
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-test-'))
  disk = join(folder, 'disk.img')
  return () => rm(folder, { recursive: true })
})

interface Answer {
  ok: boolean
  cancelled?: boolean
  failure?: { code: string; facts: { boots?: { firmware: string; outcome: string }[] } }
  text?: { happened: string }
  disk?: string
  proofs?: (Omit<Proof, 'picture'> & { picture: string | null })[]
}

/** `slipway prove DISK --json`, as a script runs it. */
function start(words: string[]): {
  process: ChildProcess
  ended: Promise<{ code: number | null; answer: Answer }>
} {
  const child = spawn(
    process.execPath,
    [join(programs, 'cli/slipway.cjs'), 'prove', disk, ...words, '--json'],
    {
      env: { ...process.env, XDG_DATA_HOME: join(folder, 'data') },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (text: Buffer) => (stdout += text.toString()))
  child.stderr.on('data', (text: Buffer) => (stderr += text.toString()))
  const ended = new Promise<{ code: number | null; answer: Answer }>((done, failed) => {
    child.once('close', (code) => {
      try {
        done({ code, answer: JSON.parse(stdout) as Answer })
      } catch {
        failed(new Error(`no JSON: ${stdout}\n${stderr}`))
      }
    })
  })
  return { process: child, ended }
}

const prove = (...words: string[]): Promise<{ code: number | null; answer: Answer }> => start(words).ended

/** Makes the disk one that Slipway built, by the record beside it. */
async function record(firmware: DiskRecord['firmware']): Promise<void> {
  const text = {
    id: diskIdOf(disk),
    path: disk,
    sizeBytes: (await stat(disk)).size,
    builtAt: 0,
    source: { image: 'test:1', digest: '' },
    engine: 'direct',
    firmware,
  }
  await writeFile(sidecarPath(disk), JSON.stringify(text))
}

/** What is kept of the boots, in the library and beside the disk alike. */
async function keptProofs(): Promise<Proof[]> {
  const paths = [join(folder, 'data/slipway/disks', `${diskIdOf(disk)}.json`), sidecarPath(disk)]
  const [listed, beside] = await Promise.all(
    paths.map(async (path) => diskRecordSchema.parse(JSON.parse(await readFile(path, 'utf8'))).proofs),
  )
  expect(listed).toEqual(beside)
  return listed ?? []
}

/** What one boot came to, as the answer, the library and the picture beside the disk tell it. */
async function expectKept(answer: Answer, outcome: BootOutcome, row: RegExp | null): Promise<void> {
  const [proof, ...more] = answer.proofs ?? []
  const [kept] = await keptProofs()
  expect([more, answer.disk]).toEqual([[], disk])
  expect(proof).toMatchObject({ outcome, picture: picturePath(disk, proof?.firmware ?? 'bios') })
  expect(kept).toEqual({ ...proof, picture: true })
  if (row !== null) expect(proof?.lines).toContainEqual(expect.stringMatching(row))
  const picture = await readFile(proof?.picture ?? '')
  expect(picture.subarray(1, 4).toString()).toBe('PNG')
}

/** What is said of a disk that does not boot under the firmware that it claims. */
const failing = (outcome: BootOutcome, firmware = 'bios'): object => ({
  ok: false,
  failure: { code: 'proof-failed', facts: { path: disk, boots: [{ firmware, outcome }], untried: [] } },
})

test('a login under one firmware and nothing under another, each with its picture', async () => {
  await writeTinyDisk(disk, 'tiny login: ')
  await record(['bios', 'uefi'])
  const { code, answer } = await prove()
  expect([code, answer.failure]).toEqual([
    1,
    {
      code: 'proof-failed',
      facts: {
        path: disk,
        boots: [
          { firmware: 'bios', outcome: 'login' },
          { firmware: 'uefi', outcome: 'no-bootable-device' },
        ],
        untried: [],
      },
    },
  ])
  expect(answer.text?.happened).toMatch(/^Under UEFI the disk does not boot: /)
  expect((await keptProofs()).map(({ outcome, picture }) => [outcome, picture])).toEqual([
    ['login', true],
    ['no-bootable-device', true],
  ])
  expect((await readdir(folder)).filter((name) => name.endsWith('.png'))).toEqual([
    'disk.img.slipway-bios.png',
    'disk.img.slipway-uefi.png',
  ])
})

test('a disk that Slipway did not build: for which firmware it is says its own first sectors, and nothing is kept', async () => {
  await writeTinyEspDisk(disk, '\r\ntiny login: ')
  const { code, answer } = await prove()
  expect(code).toBe(0)
  expect(answer).toMatchObject({
    ok: true,
    disk,
    proofs: [{ firmware: 'uefi', outcome: 'login', picture: null }],
  })
  expect((await readdir(folder)).sort()).toEqual(['disk.img'])
})

test('a boot loader that stops at its prompt, and the same one refused by Secure Boot', async () => {
  await writeEspDisk(disk)
  const { code, answer } = await prove('--firmware', 'uefi', '--firmware', 'secure-boot')
  expect([code, answer.failure?.facts.boots]).toEqual([
    1,
    [
      { firmware: 'uefi', outcome: 'boot-loader-prompt' },
      { firmware: 'secure-boot', outcome: 'secure-boot-refused' },
    ],
  ])
})

test('a machine that switches itself off before it was up', async () => {
  await writeTinyDisk(disk, 'good night', 'power-off')
  const { code, answer } = await prove()
  expect([code, answer]).toMatchObject([1, failing('ended')])
})

test('a hang is decided by the clock, with the last rows and the picture', async () => {
  await writeTinyDisk(disk, 'Loading for ever')
  await record(['bios'])
  const { code, answer } = await prove('--timeout', '15')
  expect([code, answer]).toMatchObject([1, failing('hang')])
  await expectKept(answer, 'hang', /Loading for ever/)
})

test('a picture that cannot be read is no hang and no proof: it has an exit code of its own', async () => {
  await writeTinyDisk(disk, 'no letters', 'draw')
  await record(['bios'])
  const { code, answer } = await prove('--timeout', '15')
  expect([code, answer.failure]).toMatchObject([
    4,
    { code: 'proof-incomplete', facts: { boots: [{ firmware: 'bios', outcome: 'picture' }] } },
  ])
  await expectKept(answer, 'picture', null)
})

test('a data disk is refused with words, and no machine is started', async () => {
  await writeTinyDisk(disk, 'tiny login: ')
  await record([])
  const { code, answer } = await prove()
  expect([code, answer]).toMatchObject([
    1,
    { ok: false, failure: { code: 'disk-without-boot', facts: { path: disk } }, proofs: [] },
  ])
  expect(answer.text?.happened).toContain('is a data disk')
})

test('Ctrl-C leaves no machine', async () => {
  await writeTinyDisk(disk, 'Loading for ever')
  const running = start([])
  const own = async (): Promise<string[]> =>
    (await readdir(tmpdir())).filter((name) =>
      name.startsWith(`slipway-preview-${running.process.pid ?? 0}-`),
    )
  await expect.poll(own, { timeout: 30_000 }).toHaveLength(1)
  running.process.kill('SIGINT')
  expect(await running.ended).toEqual({ code: 130, answer: { ok: false, cancelled: true } })
  expect(await own()).toEqual([])
})

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const bytes of createReadStream(path)) hash.update(bytes as Buffer)
  return hash.digest('hex')
}

/** A copy of the HOWTO's disk with its record; answers what e2fsprogs calls its root file system. */
async function copyOfDisk(): Promise<string> {
  await execute('cp', ['--sparse=always', howtoDisk ?? '', disk])
  await copyFile(sidecarPath(howtoDisk ?? ''), sidecarPath(disk))
  const sector = Buffer.alloc(512)
  const file = await open(disk)
  await file.read(sector, 0, 512, 0)
  await file.close()
  const root = decodeMbr(sector)?.find(({ type }) => type === LINUX_TYPE)
  return `${disk}?offset=${(root?.start ?? 0) * 512}`
}

const debugfs = async (root: string, request: string): Promise<string> =>
  (await execute('debugfs', ['-w', '-R', request, root])).stdout

/** Puts a text under a path of the file system, in place of what is there. */
async function putFile(root: string, path: string, text: string): Promise<void> {
  const source = join(folder, 'text')
  await writeFile(source, text)
  await debugfs(root, `rm ${path}`)
  await debugfs(root, `write ${source} ${path}`)
}

/** Enough memory for the kernel and its initial RAM disk, and quick to clear. */
const words = ['--firmware', 'bios', '--memory', '512M', '--timeout', '400']

const brokenUnit = `[Unit]
Description=Slipway's broken unit
[Service]
Type=oneshot
ExecStart=/bin/false
`

/** A unit that fails long before the console has its prompt, and scrolls away until then. */
async function breakUnit(root: string): Promise<void> {
  const units = '/etc/systemd/system'
  await putFile(root, `${units}/broken.service`, brokenUnit)
  await debugfs(root, `symlink ${units}/multi-user.target.wants/broken.service ${units}/broken.service`)
}

test.skipIf(howtoDisk === undefined)(
  'a real Debian comes to its login, and its failed unit is named',
  async () => {
    await breakUnit(await copyOfDisk())
    const before = await hashOf(disk)
    const { code, answer } = await prove(...words, '--attachment', 'sata')
    expect([code, answer]).toMatchObject([
      0,
      { ok: true, proofs: [{ firmware: 'bios', attachment: 'sata', failedUnits: ['broken.service'] }] },
    ])
    await expectKept(answer, 'login', /^my-machine login:/)
    expect(await hashOf(disk)).toBe(before)
  },
)

test.skipIf(howtoDisk === undefined)('one without any login is up when its target is reached', async () => {
  const root = await copyOfDisk()
  await debugfs(root, 'symlink /etc/systemd/system/getty@tty1.service /dev/null')
  const { code, answer } = await prove(...words)
  expect([code, answer.proofs?.[0]?.failedUnits]).toEqual([0, []])
  await expectKept(answer, 'target-reached', /Reached target/)
})

/** A loader's configuration that makes the boot fail, what it comes to, and a row that must be on the screen. */
const broken: readonly (readonly [BootOutcome, string, string, RegExp])[] = [
  ['boot-loader-prompt', 'no kernel', 'KERNEL /nothing', /^boot:/],
  // The framebuffer of mode 791 has the kernel's own font from the first row on.
  [
    'kernel-panic',
    'no initramfs',
    'KERNEL /vmlinuz\nAPPEND rw root=/dev/sdq1 vga=791',
    /Kernel panic - not syncing: VFS/,
  ],
  [
    'initramfs-shell',
    'no root file system',
    'KERNEL /vmlinuz\nAPPEND rw root=UUID=00000000-0000-0000-0000-000000000001 initrd=/initrd.img',
    /^\(initramfs\)/,
  ],
  [
    'emergency-shell',
    'emergency mode',
    'KERNEL /vmlinuz\nAPPEND ROOT rw systemd.unit=emergency.target initrd=/initrd.img',
    /emergency mode|maintenance/,
  ],
]

test.skipIf(howtoDisk === undefined).each(broken)('%s: %s', async (outcome, _name, configuration, row) => {
  const root = await copyOfDisk()
  const rootWord = /root=UUID=\S+/.exec(await debugfs(root, 'cat /boot/syslinux.cfg'))?.[0] ?? ''
  const text = `DEFAULT linux\nLABEL linux\n${configuration.replace('ROOT', rootWord)}\n`
  await putFile(root, '/boot/syslinux.cfg', text)
  const { code, answer } = await prove(...words)
  expect([code, answer]).toMatchObject([1, failing(outcome)])
  await expectKept(answer, outcome, row)
})
