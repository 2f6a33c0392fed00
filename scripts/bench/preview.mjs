/* global document -- of the page, in which parts of this run */
import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { _electron } from 'playwright'
import { build } from '../setup/build.mjs'
import { defer } from '../setup/clean-up.mjs'
import { electronRuntime } from '../setup/electron-runtime.mjs'
import { root } from '../setup/paths.mjs'
import { findProgram, isRoot, run } from '../setup/run.mjs'
import { say } from '../setup/talk.mjs'
import { startDisplay } from '../testing/display.mjs'
import { median } from './measure.mjs'

const ROUNDS = 5
/** Milliseconds over which the processor's time is counted. */
const IDLE_TIME = 15_000
/** Milliseconds in which a guest comes to rest. */
const REST_TIME = 10_000
/** Clock ticks a second in /proc (sysconf(3), _SC_CLK_TCK), 100 on every Linux of today. */
const TICKS = 100

/**
 * The window's preview beside the same guest under plain QEMU: time to the first frame, and processor time while
 * nothing happens. The guest waits at a login with interrupts on, its cursor blinking.
 */
export async function benchPreview() {
  await build()
  const folder = await mkdtemp('/var/tmp/slipway-bench-')
  defer(() => rm(folder, { recursive: true, force: true }))
  const disk = join(folder, 'guest.img')
  await writeGuest(disk)
  await addToLibrary(folder, disk)
  const dist = process.env.ELECTRON_OVERRIDE_DIST_PATH ?? (await electronRuntime())
  const display = await startDisplay()
  defer(display.stop)

  const frames = { window: [], plain: [] }
  const idle = { window: [], plain: [] }
  let accelerator = ''
  for (let round = 0; round < ROUNDS; round += 1) {
    const inWindow = await windowRound(folder, dist, display.display)
    accelerator = inWindow.accelerator
    const plain = await plainRound(folder, disk, accelerator)
    for (const [name, result] of [
      ['window', inWindow],
      ['plain', plain],
    ]) {
      frames[name].push(result.firstFrame)
      idle[name].push(result.share)
      const share = `${(result.share * 100).toFixed(1)} % of a processor`
      say(`${name}: first frame after ${result.firstFrame} ms, idle ${share}, ${accelerator}`)
    }
  }
  const system = (await run('uname', ['-sr'])).stdout.trim()
  say(`\nMedians of ${ROUNDS} runs in turn, with ${accelerator}, on ${system}`)
  say(`  first frame after Preview was pressed: ${median(frames.window)} ms`)
  say(`  first frame of plain QEMU, to a client that asks for it: ${median(frames.plain)} ms`)
  say(`  ratio: ${(median(frames.window) / median(frames.plain)).toFixed(2)}`)
  say(`  processor of the idle window with its guest: ${(median(idle.window) * 100).toFixed(1)} %`)
  say(
    `  processor of the same guest under plain QEMU without a client: ${(median(idle.plain) * 100).toFixed(1)} %`,
  )
  say(`  ratio: ${(median(idle.window) / median(idle.plain)).toFixed(2)}`)
  await mkdir(join(root, 'artifacts'), { recursive: true })
  await writeFile(
    join(root, 'artifacts/bench-preview.json'),
    `${JSON.stringify({ accelerator, frames, idle }, null, 2)}\n`,
  )
}

/** A boot sector that prints a text by int 10h and halts with interrupts on, as test/support/tiny-disk.ts has it. */
async function writeGuest(path) {
  const text = 'bench login: '
  const start = [0xfa, 0x31, 0xc0, 0x8e, 0xd8, 0xfb]
  const loop = [0xac, 0x84, 0xc0, 0x74, 0x08, 0xb4, 0x0e, 0x31, 0xdb, 0xcd, 0x10, 0xeb, 0xf3]
  const end = [0xf4, 0xeb, 0xfd]
  const address = 0x7c00 + start.length + 3 + loop.length + end.length
  const code = [...start, 0xbe, address & 0xff, address >> 8, ...loop, ...end]
  const disk = Buffer.alloc(1024 * 1024)
  Buffer.from(code).copy(disk)
  disk.write(`${text}\0`, code.length, 'latin1')
  disk.writeUInt16LE(0xaa55, 510)
  await writeFile(path, disk)
}

async function addToLibrary(folder, path) {
  const id = createHash('sha256').update(path).digest('hex').slice(0, 32)
  const record = {
    id,
    path,
    sizeBytes: (await stat(path)).size,
    builtAt: 0,
    source: { image: 'bench', digest: '' },
    engine: 'direct',
    firmware: ['bios'],
  }
  const library = join(folder, 'data/slipway/disks')
  await mkdir(library, { recursive: true })
  await writeFile(join(library, `${id}.json`), JSON.stringify(record))
}

async function windowRound(folder, dist, display) {
  const app = await _electron.launch({
    args: [...(isRoot() ? ['--no-sandbox'] : []), '--disable-gpu', root],
    env: {
      ...process.env,
      ELECTRON_OVERRIDE_DIST_PATH: dist,
      DISPLAY: display,
      HOME: folder,
      XDG_CONFIG_HOME: join(folder, 'config'),
      XDG_DATA_HOME: join(folder, 'data'),
      DOCKER_HOST: `unix://${join(folder, 'none.sock')}`,
    },
    executablePath: join(dist, 'electron'),
  })
  try {
    const page = await app.firstWindow()
    await page.getByRole('option', { name: /guest\.img/ }).click()
    const button = page.getByRole('button', { name: 'Preview', exact: true })
    await button.waitFor()
    // Timed inside the page: from the press to the first canvas with something on it.
    const firstFrame = await page.evaluate(
      () =>
        new Promise((resolve) => {
          const pressed = performance.now()
          const look = () => {
            const canvas = document.querySelector('canvas')
            const context = canvas?.getContext('2d')
            const isDrawn =
              context != null &&
              canvas.width > 0 &&
              context
                .getImageData(0, 0, canvas.width, canvas.height)
                .data.some((byte, index) => index % 4 < 3 && byte > 0)
            if (isDrawn) resolve(Math.round(performance.now() - pressed))
            else setTimeout(look, 10)
          }
          const preview = [...document.querySelectorAll('button')].find(
            (one) => one.textContent === 'Preview',
          )
          preview?.click()
          look()
        }),
    )
    await page.waitForTimeout(REST_TIME)
    // An accelerator that does not work is given up meanwhile; the page says which one is left.
    const words = await page
      .getByText(/^Running under/)
      .first()
      .innerText()
    const accelerator = /emulated/.test(words) ? 'tcg' : 'kvm'
    return { firstFrame, accelerator, share: await shareOf(() => treeOf(app.process().pid)) }
  } finally {
    await app.close()
  }
}

/** The same machine by hand, on the accelerator that the window came to, with a screen on a unix socket and without our watching. */
async function plainRound(folder, disk, accelerator) {
  const overlay = join(folder, 'overlay.qcow2')
  await rm(overlay, { force: true })
  const socket = join(folder, 'screen.sock')
  const before = performance.now()
  await run('qemu-img', ['create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', disk, overlay])
  const machine = accelerator === 'tcg' ? ['tcg,thread=multi', 'max,la57=off'] : [accelerator, 'host']
  const words = [
    ...['-nodefaults', '-no-user-config', '-machine', 'q35', '-accel', machine[0], '-cpu', machine[1]],
    ...['-smp', '2', '-m', '1024M', '-boot', 'strict=on', '-device', 'VGA', '-device', 'qemu-xhci,id=usb'],
    ...['-drive', `if=none,id=disk,format=qcow2,file=${overlay}`],
    ...[
      '-device',
      'usb-storage,bus=usb.0,drive=disk,removable=on,bootindex=0',
      '-device',
      'usb-tablet,bus=usb.0',
    ],
    ...['-netdev', 'user,id=network', '-device', 'e1000e,netdev=network,romfile=', '-vnc', `unix:${socket}`],
  ]
  const qemu = spawn(findProgram('qemu-system-x86_64'), words, { stdio: 'ignore' })
  const ended = new Promise((resolve) => qemu.on('exit', resolve))
  try {
    await firstUpdate(socket)
    const firstFrame = Math.round(performance.now() - before)
    await new Promise((resolve) => setTimeout(resolve, REST_TIME))
    return { firstFrame, share: await shareOf(() => Promise.resolve([qemu.pid])) }
  } finally {
    qemu.kill('SIGKILL')
    await ended
  }
}

/** Waits for the first frame that a client of RFB 3.8 is sent (RFC 6143), and leaves. */
async function firstUpdate(path) {
  for (;;) {
    const done = await new Promise((resolve) => {
      const socket = connect(path)
      let step = 0
      socket.on('error', () => resolve(false))
      socket.on('data', () => {
        step += 1
        if (step === 1) socket.write('RFB 003.008\n')
        else if (step === 2) socket.write(Uint8Array.of(1))
        else if (step === 3) socket.write(Uint8Array.of(1))
        else if (step === 4) socket.write(Uint8Array.of(3, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff))
        else {
          socket.destroy()
          resolve(true)
        }
      })
    })
    if (done) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/** A process and all that came of it. */
async function treeOf(pid) {
  const parents = new Map()
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const fields = await statOf(name)
    if (fields !== null) parents.set(Number(name), Number(fields[1]))
  }
  const belongs = (one) => one === pid || (parents.has(one) && belongs(parents.get(one)))
  return [...parents.keys()].filter(belongs)
}

/** Fields of /proc/PID/stat from the state on (proc(5)); null when it has ended. */
async function statOf(pid) {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null)
  return text === null ? null : text.slice(text.lastIndexOf(')') + 2).split(' ')
}

/** Share of one processor that processes take in IDLE_TIME. */
async function shareOf(processes) {
  const ticks = async () => {
    let sum = 0
    for (const pid of await processes()) {
      const fields = await statOf(pid)
      if (fields !== null) sum += Number(fields[11]) + Number(fields[12])
    }
    return sum
  }
  const before = await ticks()
  await new Promise((resolve) => setTimeout(resolve, IDLE_TIME))
  return ((await ticks()) - before) / TICKS / (IDLE_TIME / 1000)
}
