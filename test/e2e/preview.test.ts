import { accessSync, constants, readdirSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openScope } from '../../src/main/jobs/scope'
import { openLibrary, diskIdOf } from '../../src/main/library/library'
import { axeViolations, openTestWindow, typeIntoGuest, type TestWindow } from '../support/window'
import { writeTinyDisk } from '../support/tiny-disk'

/** Whom the last test kills, twenty times in all. */
const KILLS = Array.from({ length: 20 }, (_, index) => (['QEMU', 'program', 'window'] as const)[index % 3])
/** Milliseconds within which a kill comes after the preview was asked for, or after QEMU was seen where it is the victim. */
const LATEST_KILL = 2500

/** Numbers from 0 to 1 that a seed decides (mulberry32, public domain, T. Ettinger), so that a failure can be had again. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** What a process of Slipway has of machines: processes and folders. */
function leftOf(pid: number): string[] {
  const folders = readdirSync(tmpdir()).filter((name) => name.startsWith(`slipway-preview-${pid}-`))
  return [...machinesOf(pid).map(({ line }) => line), ...folders]
}

/**
 * Kills the page's process and waits for the page to come back with what the main process knows.
 * @param hasMachine whether a machine runs, whose screen must come back too
 */
async function killPage({ app }: TestWindow, hasMachine: boolean): Promise<void> {
  const processId = (): Promise<number> =>
    app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.webContents.getOSProcessId() ?? 0)
  // Playwright gives up a page that crashed, so it is asked by way of the main process.
  const inPage = (script: string): Promise<string> =>
    app.evaluate(
      ({ BrowserWindow }, asked) =>
        BrowserWindow.getAllWindows()[0]?.webContents.executeJavaScript(asked) as Promise<string>,
      script,
    )
  const text = (): Promise<string> => inPage('document.body.innerText')
  const former = await processId()
  process.kill(former, 'SIGKILL')
  await expect
    .poll(processId, { timeout: 15_000 })
    .not.toSatisfy((pid: number) => pid === former || pid === 0)
  await expect.poll(text, { timeout: 15_000 }).toContain('tiny.img')
  if (!hasMachine) return
  await expect.poll(text, { timeout: 15_000 }).toContain('Show preview')
  await inPage(
    `[...document.querySelectorAll('footer button')].find((one) => one.innerText === 'Show preview').click()`,
  )
  await expect.poll(text, { timeout: 30_000 }).toContain('Running under BIOS')
  // noVNC makes its canvas when the machine has told its size.
  const width = `String(document.querySelector('canvas')?.width ?? 0)`
  await expect.poll(async () => Number(await inPage(width)), { timeout: 15_000 }).toBeGreaterThan(0)
}

/** Kills QEMU; where the attempt with another accelerator was met, the next one is ended as a person does. */
async function killQemu({ app, page }: TestWindow, delay: number): Promise<void> {
  const qemus = (): number[] =>
    machinesOf(app.process().pid ?? 0).flatMap(({ pid, line }) => (/^\S*qemu-system/.test(line) ? [pid] : []))
  await expect.poll(qemus, { timeout: 15_000, interval: 20 }).not.toEqual([])
  await new Promise((wake) => setTimeout(wake, delay))
  for (const pid of qemus()) process.kill(pid, 'SIGKILL')
  // The page's own words: the bar and the announcement may still tell of the machine before.
  const over = page.getByRole('main').getByText(/The preview failed|The machine is off/)
  const forceOff = page.getByRole('button', { name: 'Force off' })
  await over.or(forceOff).first().waitFor()
  // The end of the process is told within a moment.
  await over.waitFor({ timeout: 2000 }).catch(() => forceOff.click())
  await over.waitFor()
}

/** How the screen lies in its place: the guest's own pixels, and those of the window. */
async function scaling({ page }: TestWindow): Promise<{ guest: number; shown: number; room: number }> {
  return page.evaluate(() => {
    const canvas = document.querySelector('canvas')
    const place = document.querySelector('[aria-label="Screen of the machine"]')
    if (canvas === null || place === null) throw new Error('there is no screen')
    const shown = canvas.getBoundingClientRect()
    // The border that shows the focus is no room for the screen.
    const [width, height] = [place.clientWidth, place.clientHeight]
    const room = canvas.width * Math.min(width / canvas.width, height / canvas.height)
    return { guest: canvas.width, shown: shown.width, room }
  })
}

/** Waits until the screen fills its place in one direction and fits it in both. */
async function expectFitting(window: TestWindow): Promise<number> {
  await expect
    .poll(async () => {
      const { shown, room } = await scaling(window)
      return Math.abs(shown - room)
    })
    .toBeLessThan(2)
  return (await scaling(window)).shown
}

const isFullScreen = ({ app }: TestWindow): Promise<boolean> =>
  app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.isFullScreen() ?? false)

/** Processes whose command line names a folder of this process's machines. */
function machinesOf(pid: number): { pid: number; line: string }[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const line = readFileSync(`/proc/${name}/cmdline`, 'latin1')
        if (!line.includes(`slipway-preview-${pid}-`)) return []
        return [{ pid: Number(name), line: line.replaceAll('\0', ' ') }]
      } catch {
        return []
      }
    })
}

const focused = (page: Page): Promise<string | null | undefined> =>
  page.evaluate(() => document.activeElement?.textContent)

function canOpenKvm(): boolean {
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK)
    return true
  } catch {
    return false
  }
}

describe('the preview, on a disk that is up at once', () => {
  const scope = openScope()
  let folder = ''
  let disk = ''
  let window: TestWindow
  const open = (): Promise<TestWindow> =>
    openTestWindow(folder, { DOCKER_HOST: `unix://${join(folder, 'none.sock')}` })

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'slipway-e2e-'))
    scope.defer(() => rm(folder, { recursive: true, force: true }))
    disk = join(folder, 'tiny.img')
    await writeTinyDisk(disk, 'tiny login: ')
    const broken = join(folder, 'broken.img')
    await writeTinyDisk(broken, 'VFS: no root\r\nKernel panic - not syncing: tiny\r\n')
    await mkdir(join(folder, 'data'))
    const library = openLibrary(join(folder, 'data/slipway/disks'), () => undefined)
    for (const path of [disk, broken]) {
      await library.add({
        id: diskIdOf(path),
        path,
        sizeBytes: (await stat(path)).size,
        format: 'raw',
        builtAt: Date.now(),
        source: { image: 'tiny:1', digest: `sha256:${'0'.repeat(64)}` },
        engine: 'direct',
        table: 'mbr',
        firmware: ['bios'],
        secureBoot: false,
        architecture: 'amd64',
        ports: [80],
        proofs: [],
      })
    }
    window = await open()
    // The last test kills it.
    scope.defer(() => window.close().catch(() => undefined))
  })
  afterAll(() => scope.close())

  it('is proven without a window, and the proof shows with its picture', async () => {
    const { page } = window
    await page.getByRole('option', { name: /tiny\.img/ }).click()
    await page.getByRole('button', { name: 'Prove that it boots' }).click()
    const main = page.getByRole('main')
    await main.getByText(/Under BIOS it boots: login after .* on/).waitFor({ timeout: 90_000 })
    await page
      .getByRole('listbox', { name: 'Disks' })
      .getByText(/boots, /)
      .waitFor()
    await main.getByRole('img', { name: 'Screen under BIOS, show it large' }).click()
    await page
      .getByRole('dialog')
      .getByRole('img', { name: /tiny login:/ })
      .waitFor()
    expect(await axeViolations(page)).toEqual([])
    await window.picture('preview-proof-picture')
    await page.keyboard.press('Escape')
    expect(await axeViolations(page)).toEqual([])
    await window.picture('preview-proof')
  })

  it('is proven not to boot, and the last lines stand on the page', async () => {
    const { page } = window
    const main = page.getByRole('main')
    await page.getByRole('option', { name: /broken\.img/ }).click()
    await main.getByRole('button', { name: 'Prove that it boots' }).click()
    await main.getByText(/Under BIOS it does not boot: the kernel gave up/).waitFor({ timeout: 90_000 })
    const lines = await main.getByLabel('Last lines under BIOS').innerText()
    expect(lines).toMatch(/VFS: no root\nKernel panic - not syncing: tiny/)
    expect(await axeViolations(page)).toEqual([])
    await window.picture('preview-proof-failed')
    await page.getByRole('contentinfo').getByRole('button', { name: 'Dismiss' }).click()
    await page.getByRole('option', { name: /tiny\.img/ }).click()
  })

  it('shows the screen, scaled to its place', async () => {
    const { app, page } = window
    const main = page.getByRole('main')
    await page.getByRole('button', { name: 'Preview', exact: true }).click()
    await page.locator('canvas').waitFor({ timeout: 60_000 })
    await main.getByText('Port 80: nothing answers yet').waitFor()
    await main.getByText(/Running under BIOS.*it came to a login/).waitFor({ timeout: 60_000 })
    expect(await axeViolations(page)).toEqual([])
    await window.picture('preview-screen')

    const { guest } = await scaling(window)
    const before = await expectFitting(window)
    expect(Math.abs(before - guest)).toBeGreaterThan(2)
    const resize = (width: number, height: number): Promise<void> =>
      app.evaluate(({ BrowserWindow }, size) => BrowserWindow.getAllWindows()[0]?.setSize(...size), [
        width,
        height,
      ] as [number, number])
    await resize(880, 600)
    await expect.poll(async () => (await scaling(window)).shown).toBeLessThan(before - 20)
    await expectFitting(window)
    await window.picture('preview-screen-small')
    await resize(1120, 720)
    await expect.poll(async () => Math.abs((await scaling(window)).shown - before)).toBeLessThan(2)
  })

  it('fills the whole screen, until it or the window is told otherwise', async () => {
    const { app, page } = window
    const before = (await scaling(window)).shown
    await page.getByRole('button', { name: 'Full screen', exact: true }).click()
    await expect.poll(() => isFullScreen(window)).toBe(true)
    await expect.poll(async () => (await scaling(window)).shown).toBeGreaterThan(before + 50)
    await expectFitting(window)
    await window.picture('preview-full')
    await page.getByRole('button', { name: 'Leave full screen' }).click()
    await expect.poll(() => isFullScreen(window)).toBe(false)
    await page.getByRole('button', { name: 'Full screen', exact: true }).click()
    await expect.poll(() => isFullScreen(window)).toBe(true)
    // As the menu and the system do it.
    await app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.setFullScreen(false))
    await page.getByRole('button', { name: 'Full screen', exact: true }).waitFor()
    expect(await isFullScreen(window)).toBe(false)
  })

  it('is sent Ctrl+Alt+Delete from the menu of keys, and begins again', async () => {
    const { page } = window
    const main = page.getByRole('main')
    await page.getByRole('button', { name: 'Keys' }).click()
    await window.picture('preview-keys')
    // SeaBIOS answers these keys while the guest halts with interrupts on.
    await page.getByRole('menuitem', { name: 'Ctrl+Alt+Delete' }).click()
    await main.getByText(/it came to a login/).waitFor({ state: 'detached' })
    await main.getByText(/it came to a login/).waitFor({ timeout: 60_000 })
  })

  it('starts another machine, whose serial console is a terminal under the strict policy', async () => {
    const { page } = window
    await page.getByRole('button', { name: 'Machine…' }).click()
    const sheet = page.getByRole('dialog')
    await sheet.getByText('UEFI', { exact: true }).click()
    await sheet.getByText('SATA drive').click()
    await sheet.getByRole('textbox', { name: 'Memory of the machine in GB' }).fill('0.5')
    await sheet.getByRole('textbox', { name: 'Processors of the machine' }).fill('1')
    expect(await axeViolations(page)).toEqual([])
    await window.picture('preview-machine')
    await sheet.getByRole('button', { name: 'Stop, and start this one' }).click()
    await page.getByText(/Running under UEFI/).waitFor({ timeout: 60_000 })
    const qemu = machinesOf(window.app.process().pid ?? 0).find(({ line }) => /^\S*qemu-system/.test(line))
    expect(qemu?.line).toMatch(/ -smp 1 -m 512M /)
    // Where KVM opens and yet no machine runs on it, the page says so.
    const isEmulated = await page.getByText(/Running under UEFI, emulated/).isVisible()
    const notes = await page.getByText(/^KVM did not work on this computer.*: .+\.$/).count()
    expect(notes).toBe(isEmulated && canOpenKvm() ? 1 : 0)
    await page.getByRole('tab', { name: 'Serial console' }).click()
    const console = page.getByRole('group', { name: 'Serial console of the machine' })
    await console
      .getByText(/Shell>/)
      .first()
      .waitFor({ timeout: 90_000 })
    // The rules that xterm writes do hold: its text has the theme's colour.
    const rows = console.locator('.xterm-rows')
    expect(await rows.evaluate((element) => getComputedStyle(element).color)).toBe('rgb(228, 226, 221)')
    await console.getByRole('textbox').focus()
    await page.keyboard.type('echo from-keys')
    await page.keyboard.press('Enter')
    await console
      .getByText(/^from-keys\s*$/)
      .first()
      .waitFor({ timeout: 30_000 })
    expect(await axeViolations(page)).toEqual([])
    await window.picture('preview-serial')
    await page.keyboard.press('Control+Alt+KeyG')
    expect(await focused(page)).toBe('Type into the console')
  })

  it('takes the keyboard on its screen, and gives it back', async () => {
    const { page } = window
    await page.getByRole('tab', { name: 'Screen' }).click()
    await page.locator('canvas').click()
    await typeIntoGuest(page, 'echo one-')
    await page.keyboard.press('Control+Alt+KeyG')
    expect(await focused(page)).toBe('Type into the machine')
    await typeIntoGuest(page, 'lost')
    await page.keyboard.press('Enter')
    expect(await page.evaluate(() => document.activeElement?.tagName)).toBe('CANVAS')
    await typeIntoGuest(page, 'kept\n')
    // UEFI's shell shows on the serial console what it does on the screen.
    await page.getByRole('tab', { name: 'Serial console' }).click()
    const console = page.getByRole('group', { name: 'Serial console of the machine' })
    await console
      .getByText(/^one-kept\s*$/)
      .first()
      .waitFor({ timeout: 30_000 })
    expect(await console.innerText()).not.toContain('lost')
  })

  it('saves a picture where the dialog says', async () => {
    const { app, page } = window
    const path = join(folder, 'picture.png')
    // The system's own dialog cannot be clicked by a test: it is answered in its place.
    await app.evaluate(({ dialog }, filePath) => {
      dialog.showSaveDialog = () => Promise.resolve({ canceled: false, filePath })
    }, path)
    await page.getByRole('button', { name: 'Picture…' }).click()
    await page.getByText(`Saved ${path}`).waitFor()
    expect(readFileSync(path).subarray(1, 4).toString()).toBe('PNG')
  })

  it('is reset', async () => {
    const { page } = window
    // Not the words beside it that are read out to people who cannot see, which stay for a while.
    const rows = page.getByRole('group', { name: 'Serial console of the machine' }).locator('.xterm-rows')
    await page.getByRole('button', { name: 'Reset' }).click()
    // The firmware begins by clearing the terminal, and comes to its shell again.
    await expect.poll(() => rows.innerText(), { timeout: 60_000, interval: 100 }).not.toContain('Shell>')
    await expect.poll(() => rows.innerText(), { timeout: 90_000 }).toContain('Shell>')
    await page.getByRole('button', { name: 'Force off' }).click()
    await page.getByText('The machine is off.').waitFor({ timeout: 30_000 })
    expect(window.complaints).toEqual([])
  })

  it(`${KILLS.length} times, QEMU, the program or the window is killed at a random moment: nothing stays`, async () => {
    const seed = Date.now() % 1_000_000
    const random = seeded(seed)
    let sawMachine = 0
    for (const victim of KILLS) {
      const { app, page } = window
      const pid = app.process().pid ?? 0
      const again = page.getByRole('button', { name: 'Start again' })
      if (await again.isVisible()) {
        await again.click()
      } else {
        await page.getByRole('option', { name: /tiny\.img/ }).click()
        await page.getByRole('button', { name: 'Preview', exact: true }).click()
      }
      const delay = random() * LATEST_KILL
      if (victim === 'QEMU') {
        await killQemu(window, delay)
      } else {
        await new Promise((wake) => setTimeout(wake, delay))
        const hasMachine = machinesOf(pid).length > 0
        if (hasMachine) sawMachine++
        if (victim === 'program') app.process().kill('SIGKILL')
        else await killPage(window, hasMachine).then(() => window.close())
      }
      await expect
        .poll(() => leftOf(pid), { timeout: 15_000, message: `${victim}, seed ${seed}` })
        .toEqual([])
      if (victim !== 'QEMU') window = await open()
    }
    // The moments were not all before the machine.
    expect(sawMachine).toBeGreaterThan(0)
  })
})
