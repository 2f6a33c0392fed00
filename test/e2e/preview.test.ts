import { readdirSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openScope } from '../../src/main/jobs/scope'
import { openLibrary, diskIdOf } from '../../src/main/library/library'
import { axeViolations, openTestWindow, type TestWindow } from '../support/window'
import { writeTinyDisk } from '../support/tiny-disk'

/** Command lines of QEMUs whose machines lie in a folder of this process. */
function machinesOf(pid: number): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const line = readFileSync(`/proc/${name}/cmdline`, 'latin1')
        return line.includes(`slipway-preview-${pid}-`) ? [line.replaceAll('\0', ' ')] : []
      } catch {
        return []
      }
    })
}

describe('the preview, on a disk that is up at once', () => {
  const scope = openScope()
  let folder = ''
  let disk = ''
  let window: TestWindow

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'slipway-e2e-'))
    scope.defer(() => rm(folder, { recursive: true, force: true }))
    disk = join(folder, 'tiny.img')
    await writeTinyDisk(disk, 'tiny login: ')
    await mkdir(join(folder, 'data'))
    const library = openLibrary(join(folder, 'data/slipway/disks'), () => undefined)
    await library.add({
      id: diskIdOf(disk),
      path: disk,
      sizeBytes: (await stat(disk)).size,
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
    window = await openTestWindow(folder, { DOCKER_HOST: `unix://${join(folder, 'none.sock')}` })
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

  it('shows the screen, and on the whole screen too', async () => {
    const { page } = window
    await page.getByRole('button', { name: 'Preview', exact: true }).click()
    await page.locator('canvas').waitFor({ timeout: 60_000 })
    await page.getByText('Port 80: nothing answers yet').waitFor()
    await page.getByText(/Running under BIOS.*it came to a login/).waitFor({ timeout: 30_000 })
    expect(await axeViolations(page)).toEqual([])
    await window.picture('preview-screen')
    await page.getByRole('button', { name: 'Keys' }).click()
    await window.picture('preview-keys')
    await page.keyboard.press('Escape')
    await page.getByRole('button', { name: 'Full screen' }).click()
    const box = await page.locator('canvas').boundingBox()
    const width = await page.evaluate(() => document.documentElement.clientWidth)
    expect(box?.width ?? 0).toBeGreaterThan(width * 0.5)
    await window.picture('preview-full')
    await page.getByRole('button', { name: 'Leave full screen' }).click()
  })

  it('starts another machine, whose serial console is a terminal under the strict policy', async () => {
    const { page } = window
    await page.getByRole('button', { name: 'Machine…' }).click()
    const sheet = page.getByRole('dialog')
    await sheet.getByText('UEFI', { exact: true }).click()
    await sheet.getByText('SATA drive').click()
    expect(await axeViolations(page)).toEqual([])
    await window.picture('preview-machine')
    await sheet.getByRole('button', { name: 'Stop, and start this one' }).click()
    await page.getByText(/Running under UEFI/).waitFor({ timeout: 30_000 })
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
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Type into the console')
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
    const console = page.getByRole('group', { name: 'Serial console of the machine' })
    await page.getByRole('button', { name: 'Reset' }).click()
    // The firmware begins by clearing the terminal, and comes to its shell again.
    await expect.poll(() => console.innerText(), { timeout: 60_000, interval: 100 }).not.toContain('Shell>')
    await console
      .getByText(/Shell>/)
      .first()
      .waitFor({ timeout: 90_000 })
    await page.getByRole('button', { name: 'Force off' }).click()
    await page.getByText('The machine is off.').waitFor({ timeout: 30_000 })
    expect(window.complaints).toEqual([])
  })

  it('leaves no QEMU and no overlay when the window is killed', async () => {
    const { app, page } = window
    const child = app.process()
    const pid = child.pid ?? 0
    await page.getByRole('button', { name: 'Start again' }).click()
    await page.locator('canvas').waitFor({ timeout: 60_000 })
    expect(machinesOf(pid).some((line) => line.includes('qemu-system'))).toBe(true)
    child.kill('SIGKILL')
    await expect.poll(() => machinesOf(pid), { timeout: 15_000 }).toEqual([])
    await expect
      .poll(() => readdirSync(tmpdir()).filter((name) => name.startsWith(`slipway-preview-${pid}-`)), {
        timeout: 15_000,
      })
      .toEqual([])
  })
})
