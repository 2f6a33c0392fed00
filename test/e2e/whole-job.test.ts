import { execa } from 'execa'
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdtemp, open, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { openScope } from '../../src/main/jobs/scope'
import { testEngine, type TestEngine } from '../support/engine'
import { attachLoop, detachLoop } from '../support/loop'
import {
  axeViolations,
  openTestWindow,
  typeIntoGuest,
  waitForGuestText,
  type TestWindow,
} from '../support/window'

const GIB = 1024 ** 3
const STICK_BYTES = 4 * GIB
const IMAGE = 'whole-job:latest'

async function sha256(path: string, bytes?: number): Promise<string> {
  const hash = createHash('sha256')
  const end = bytes === undefined ? {} : { end: bytes - 1 }
  for await (const chunk of createReadStream(path, end)) hash.update(chunk as Buffer)
  return hash.digest('hex')
}

/**
 * Steps 1 to 6 of what a person does, in real Electron, with a real engine,
 * real QEMU and the real helper as root. The stick is a loop device: the one
 * stand-in, because this needs a machine without USB.
 */
describe('the whole job, once, in the window', () => {
  const scope = openScope()
  let engine: TestEngine
  let folder = ''
  let stickFile = ''
  let stick = ''
  let window: TestWindow

  const docker = (...words: string[]) => execa('docker', ['-H', `unix://${engine.socket}`, ...words])

  /** The HOWTO's machine, which says that it serves a port and gets an address for it. */
  async function buildImage(): Promise<void> {
    const network = '[Match]\\nType=ether\\n[Network]\\nDHCP=yes\\n'
    const input = [
      'FROM my-machine:latest',
      `RUN printf '${network}' > /etc/systemd/network/ether.network && systemctl enable systemd-networkd`,
      'EXPOSE 80 53/udp',
    ].join('\n')
    await execa('docker', ['-H', `unix://${engine.socket}`, 'build', '--tag', IMAGE, '-'], { input })
  }

  beforeAll(async () => {
    engine = await testEngine()
    scope.defer(() => engine.stop())
    folder = await mkdtemp(join(tmpdir(), 'slipway-e2e-'))
    scope.defer(() => rm(folder, { recursive: true, force: true }))
    stickFile = join(folder, 'stick.raw')
    await writeFile(stickFile, '')
    await truncate(stickFile, STICK_BYTES)
    stick = await attachLoop(stickFile)
    scope.defer(() => detachLoop(stick, stickFile))
    await buildImage()
    scope.defer(async () => {
      await docker('rmi', IMAGE)
    })
    window = await openTestWindow(folder, {
      DOCKER_HOST: `unix://${engine.socket}`,
      SLIPWAY_TEST_LOOP_TARGETS: '1',
    })
    scope.defer(() => window.close())
  })
  afterAll(() => scope.close())
  beforeEach(({ onTestFailed, task }) => {
    onTestFailed(() => window.picture(`failed-${task.name.slice(0, 3).replace(/\W/g, '')}`))
  })

  it('1-2: lists images and drives, live', async () => {
    const { page } = window
    const images = page.getByRole('listbox', { name: 'Images' })
    await images.getByRole('option', { name: /my-machine/ }).waitFor()
    await docker('tag', 'my-machine:latest', 'e2e-live:1')
    await images.getByRole('option', { name: /e2e-live/ }).waitFor({ timeout: 10_000 })
    await docker('rmi', 'e2e-live:1')
    await images.getByRole('option', { name: /e2e-live/ }).waitFor({ state: 'detached', timeout: 10_000 })

    const drives = page.getByRole('listbox', { name: 'Drives' })
    await drives.getByRole('option', { name: new RegExp(basename(stick)) }).waitFor()
    const second = join(folder, 'second.raw')
    await writeFile(second, Buffer.alloc(1024 * 1024))
    const device = await attachLoop(second)
    const option = drives.getByRole('option', { name: new RegExp(`${basename(device)}\\b`) })
    try {
      await option.waitFor({ timeout: 15_000 })
    } finally {
      await detachLoop(device, second)
    }
    await option.waitFor({ state: 'detached', timeout: 15_000 })
    expect(await axeViolations(page)).toEqual([])
    await window.picture('1-first-look')
  })

  it('3: shows the chain, builds, and cancels without a trace', async () => {
    const { page } = window
    await page.getByRole('option', { name: /whole-job/ }).click()
    for (const link of ['Disk', 'Partition', 'Boot loader', 'Kernel', 'Init', 'Apps']) {
      await page.getByRole('tab', { name: new RegExp(link) }).waitFor()
    }
    await page.getByRole('tab', { name: /Kernel.*in the image/ }).waitFor()
    expect(await axeViolations(page)).toEqual([])
    await window.picture('3-chain')

    await page.getByText('By this system’s kernel').click()
    await page.getByRole('button', { name: 'Build disk' }).click()
    await page.getByText('Copying files').first().waitFor({ timeout: 60_000 })
    await page.getByRole('contentinfo').getByRole('button', { name: 'Log' }).click()
    await window.picture('3-building')
    await page.getByRole('contentinfo').getByRole('button', { name: /Log/ }).click()
    await page.getByRole('contentinfo').getByRole('button', { name: 'Cancel' }).click()
    await page
      .getByRole('contentinfo')
      .getByText(/cancelled/i)
      .first()
      .waitFor({ timeout: 60_000 })
    expect(await readdir(join(folder, 'Slipway'))).toEqual([])
    await page.getByRole('contentinfo').getByRole('button', { name: 'Dismiss' }).click()

    await page.getByText('By Slipway itself').click()
    await page.getByRole('tab', { name: /Boot loader.*BIOS \+ UEFI/ }).waitFor()
    // The proof that follows goes on beside the next steps.
    await page.getByText('Prove after build').click()
    expect(await page.getByRole('checkbox', { name: 'Prove after build' }).isChecked()).toBe(true)
    await page.getByRole('button', { name: 'Build disk' }).click()
    await page.getByRole('main').getByRole('button', { name: 'Show the disk' }).click({ timeout: 240_000 })
  })

  it('4: lists the disk with its origin', async () => {
    const { page } = window
    await page
      .getByRole('listbox', { name: 'Disks' })
      .getByRole('option', { name: /whole-job\.img/ })
      .waitFor()
    const main = page.getByRole('main')
    const { stdout } = await docker('image', 'inspect', '--format', '{{.Id}}', IMAGE)
    await main.getByText(stdout).waitFor()
    await main.getByText('Unproven').waitFor()
    await main.getByRole('button', { name: 'Being proven' }).waitFor()
    expect(await axeViolations(page)).toEqual([])
    await window.picture('4-disk')
    expect((await readdir(join(folder, 'Slipway'))).sort()).toEqual([
      'whole-job.img',
      'whole-job.img.slipway-map.json',
      'whole-job.img.slipway.json',
    ])
    const record = JSON.parse(
      await readFile(join(folder, 'Slipway/whole-job.img.slipway.json'), 'utf8'),
    ) as object
    expect(record).toMatchObject({ ports: [80], firmware: ['bios', 'uefi'] })
  })

  it('5: boots inside the window, with keyboard, mouse and serial console, and leaves the file as it is', async () => {
    const { page } = window
    const disk = join(folder, 'Slipway/whole-job.img')
    const before = await sha256(disk)
    // Two machines at once are much for two processors: only the boot under UEFI goes on beside this one.
    await page
      .getByRole('main')
      .getByText(/Under BIOS it boots: login after/)
      .waitFor({ timeout: 400_000 })
    await page.getByRole('button', { name: 'Preview' }).click()
    const canvas = page.locator('canvas')
    await canvas.waitFor({ timeout: 30_000 })
    await waitForGuestText(page, /login:/, 400_000)
    await window.picture('5-login')

    await canvas.click()
    await typeIntoGuest(page, 'root\n')
    await waitForGuestText(page, /root@.*#/, 120_000)
    // One event of the tablet is 24 bytes: they come only when the pointer really moves in the guest.
    await typeIntoGuest(page, 'head -c24 /dev/input/by-id/*ablet*event-mouse | wc -c\n')
    const box = await canvas.boundingBox()
    if (box === null) throw new Error('the screen has no place')
    // Moved until it was seen: the guest hears only what comes after it has begun to listen.
    const seen = waitForGuestText(page, /^24\s*$/m, 120_000)
    const enough = new AbortController()
    const moving = moveUntil(enough.signal, (step) => page.mouse.move(box.x + step * 15, box.y + step * 8))
    await seen.finally(() => enough.abort())
    await moving

    await page.getByText(/Running under BIOS.*it came to a login/).waitFor({ timeout: 60_000 })
    await opensWebServer(window)

    const line = 'echo from-the-guest >/dev/ttyS0; echo "Pasted_$((40+2))"\n'
    await window.app.evaluate(({ clipboard }, text) => clipboard.writeText(text), line)
    await page.getByRole('button', { name: 'Type the clipboard' }).click()
    await waitForGuestText(page, /Pasted_42/, 60_000)
    await page.getByRole('button', { name: 'Full screen' }).click()
    await window.picture('5-full-screen')
    await page.getByRole('button', { name: 'Leave full screen' }).click()
    await page.getByRole('tab', { name: 'Serial console' }).click()
    await page.getByText('from-the-guest').first().waitFor({ timeout: 60_000 })
    expect(await axeViolations(page)).toEqual([])
    await window.picture('5-serial')

    await page.getByRole('tab', { name: 'Screen' }).click()
    await page.getByRole('button', { name: 'Keys' }).click()
    await page.getByRole('menuitem', { name: 'Ctrl+Alt+F2' }).click()
    await waitForGuestText(page, /\btty2\b[\s\S]*login:/, 60_000)
    await page.getByRole('button', { name: 'Power button' }).click()
    await page.getByText('The machine is off.').waitFor({ timeout: 120_000 })
    expect(await sha256(disk)).toBe(before)
  })

  /** Moves twenty times a second, over and over the same way. */
  async function moveUntil(signal: AbortSignal, move: (step: number) => Promise<void>): Promise<void> {
    for (let step = 1; !signal.aborted; step = (step % 20) + 1) {
      await move(step)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  /** Presses the link of the machine's web server, and asks the server at the address that the browser would get. */
  async function opensWebServer({ app, page }: TestWindow): Promise<void> {
    await app.evaluate(({ shell }) => {
      shell.openExternal = (url) => {
        Object.assign(globalThis, { openedAddress: url })
        return Promise.resolve()
      }
    })
    const ports = page.getByRole('list', { name: 'Ports of the machine' })
    await ports
      .getByRole('button', { name: /^Open http:\/\/127\.0\.0\.1:\d+ \(port 80\)$/ })
      .click({ timeout: 60_000 })
    const opened = (): Promise<string> =>
      app.evaluate(() => (globalThis as { openedAddress?: string }).openedAddress ?? '')
    await expect.poll(opened).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/)
    const answer = await fetch(await opened())
    expect(answer.status).toBe(200)
    expect(await answer.text()).toContain('Apache2 Debian')
    await window.picture('5-port')
  }

  it('6: writes the stick after a typed confirmation, compares it, and says that it may be pulled', async () => {
    const { app, page } = window
    // The system's own dialog cannot be clicked by a test: it is answered in its place.
    await app.evaluate(({ dialog }) => {
      dialog.showMessageBox = () => Promise.resolve({ response: 1, checkboxChecked: false })
    })
    await page.getByRole('button', { name: 'Back to the disk' }).click()
    // It was proven on the way; of the boots under other firmware one is enough for this test.
    await page
      .getByRole('main')
      .getByText(/Under BIOS it boots: login after/)
      .waitFor({ timeout: 300_000 })
    const foot = page.getByRole('contentinfo')
    const cancel = foot.getByRole('button', { name: 'Cancel' })
    if (await cancel.isVisible()) await cancel.click()
    await page.getByRole('button', { name: 'Prove that it boots' }).waitFor({ timeout: 30_000 })
    await page.getByRole('img', { name: 'Screen under BIOS, show it large' }).waitFor()
    await window.picture('6-proven')
    await page.getByRole('button', { name: /Write to a stick/ }).click()
    const sheet = page.getByRole('dialog')
    await sheet.waitFor()
    expect(await sheet.getByRole('option', { selected: true }).count()).toBe(0)
    const write = sheet.getByRole('button', { name: /^(Erase|Write)/ })
    expect(await write.isDisabled()).toBe(true)
    await sheet.getByRole('option', { name: new RegExp(basename(stick)) }).click()
    await sheet
      .getByText(/will be lost/)
      .first()
      .waitFor()
    expect(await write.isDisabled()).toBe(true)
    await sheet.getByRole('textbox').fill('something else')
    expect(await write.isDisabled()).toBe(true)
    await sheet.getByRole('textbox').fill(basename(stick))
    expect(await axeViolations(page)).toEqual([])
    await window.picture('6-confirm')
    await write.click()
    await sheet.getByText('The stick may be pulled.').waitFor({ timeout: 300_000 })
    await window.picture('6-done')
    await page.keyboard.press('Escape')

    const disk = join(folder, 'Slipway/whole-job.img')
    const file = await open(disk)
    const { size } = await file.stat()
    await file.close()
    expect(await sha256(stickFile, size)).toBe(await sha256(disk))
  })

  it('did all this without an error in the window', () => {
    expect(window.complaints).toEqual([])
  })
})
