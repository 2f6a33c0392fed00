import AxeBuilder from '@axe-core/playwright'
import { mkdir } from 'node:fs/promises'
import { resolve } from 'node:path'
import { _electron, type ElectronApplication, type Page } from 'playwright'
import { readPicture } from '../../src/main/preview/screen'

const ROOT = resolve(import.meta.dirname, '../..')
/** Pictures that a run keeps, for people to look at. */
export const ARTIFACTS = resolve(ROOT, 'artifacts')

export interface TestWindow {
  app: ElectronApplication
  page: Page
  /** What the main process and the page complained about. */
  complaints: string[]
  picture(name: string): Promise<void>
  close(): Promise<void>
}

/**
 * Opens the built application in real Electron. ELECTRON_OVERRIDE_DIST_PATH
 * must name the runtime (scripts/test.mjs sets it).
 * @param folder for the application's own files
 * @param environment more variables
 * @param executablePath a program that becomes Electron, in its place
 */
export async function openTestWindow(
  folder: string,
  environment: Record<string, string> = {},
  executablePath?: string,
): Promise<TestWindow> {
  await mkdir(ARTIFACTS, { recursive: true })
  const asRoot = process.getuid?.() === 0 ? ['--no-sandbox'] : []
  const app = await _electron.launch({
    args: [...asRoot, '--disable-gpu', ROOT],
    ...(executablePath === undefined ? {} : { executablePath }),
    env: {
      ...(process.env as Record<string, string>),
      HOME: folder,
      XDG_CONFIG_HOME: `${folder}/config`,
      XDG_DATA_HOME: `${folder}/data`,
      ...environment,
    },
  })
  const complaints: string[] = []
  const page = await app.firstWindow()
  page.on('pageerror', (error) => complaints.push(`page: ${error.message}`))
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(`console: ${message.text()}`)
  })
  await page.getByText('Slipway').first().waitFor()
  return {
    app,
    page,
    complaints,
    async picture(name) {
      await page.screenshot({ path: `${ARTIFACTS}/${name}.png` })
    },
    async close() {
      await app.close()
    },
  }
}

/** The violations of WCAG and best practice that axe finds on the page as it is, one line each. */
export async function axeViolations(page: Page): Promise<string[]> {
  // Without legacy mode axe opens a second page, which Electron does not have.
  const { violations } = await new AxeBuilder({ page }).setLegacyMode(true).analyze()
  return violations.flatMap((violation) =>
    violation.nodes.map((node) => `${violation.id}: ${node.target.join(' ')}`),
  )
}

/** The text on the guest's screen as the window shows it, read from the pixels of noVNC's canvas. */
export async function guestText(page: Page): Promise<string> {
  const screen = await page.evaluate(() => {
    const canvas = document.querySelector('canvas')
    const context = canvas?.getContext('2d')
    if (!canvas || !context || canvas.width === 0) return null
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height)
    let text = ''
    // Strings of single bytes cross the debugger's channel a hundred times faster than arrays of numbers.
    for (let index = 0; index < data.length; index += 4) {
      text += String.fromCharCode(data[index] ?? 0, data[index + 1] ?? 0, data[index + 2] ?? 0)
    }
    return { width: canvas.width, height: canvas.height, text }
  })
  if (screen === null) return ''
  const picture = { width: screen.width, height: screen.height, pixels: Buffer.from(screen.text, 'latin1') }
  return readPicture(picture).join('\n')
}

/**
 * Waits until the guest's screen shows a text.
 * @param milliseconds to wait at most; throws with the last screen after it
 */
export async function waitForGuestText(page: Page, wanted: RegExp, milliseconds: number): Promise<string> {
  const until = Date.now() + milliseconds
  for (;;) {
    const text = await guestText(page)
    if (wanted.test(text)) return text
    if (Date.now() > until) throw new Error(`the guest's screen never showed ${String(wanted)}:\n${text}`)
    await page.waitForTimeout(1000)
  }
}

/** Characters of a US keyboard that need Shift, with their keys. */
const shifted: Record<string, string> = { '*': 'Digit8', '|': 'Backslash', '>': 'Period', S: 'KeyS' }

/**
 * Types into the guest as fingers do: Playwright's own typing sends a shifted
 * character without Shift, and a machine that is sent key codes sees the plain one.
 */
export async function typeIntoGuest(page: Page, text: string): Promise<void> {
  for (const character of text) {
    const key = shifted[character]
    if (key !== undefined) await page.keyboard.press(`Shift+${key}`, { delay: 40 })
    else
      await page.keyboard.press(character === '\n' ? 'Enter' : character === ' ' ? 'Space' : character, {
        delay: 40,
      })
    await page.waitForTimeout(20)
  }
}
