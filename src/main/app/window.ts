import { join } from 'node:path'
import { app, BrowserWindow, nativeTheme, screen } from 'electron'
import { APP_ORIGIN } from './protocol'
import { readBounds, writeBounds } from './window-state'

/**
 * Makes the one window and loads the page.
 * @param preload absolute path of the built preload
 * @param icon absolute path of the icon
 */
export function openWindow(preload: string, icon: string): BrowserWindow {
  const boundsFile = join(app.getPath('userData'), 'window.json')
  const bounds = readBounds(
    boundsFile,
    screen.getAllDisplays().map((display) => display.workArea),
  )
  const window = new BrowserWindow({
    width: 1120,
    height: 720,
    minWidth: 860,
    minHeight: 560,
    ...bounds,
    show: false,
    title: 'Slipway',
    icon,
    backgroundColor: nativeTheme.shouldUseDarkColors ? '#16181b' : '#fbfaf8',
    webPreferences: {
      preload,
      contextIsolation: true,
      sandbox: true,
      nodeIntegration: false,
      webviewTag: false,
      spellcheck: false,
      enableWebSQL: false,
    },
  })
  window.once('ready-to-show', () => {
    window.show()
  })
  window.on('close', () => {
    if (!window.isMinimized()) void writeBounds(boundsFile, window.getNormalBounds())
  })
  reloadWhenGone(window)
  void window.loadURL(`${APP_ORIGIN}/index.html`)
  return window
}

/** Milliseconds after one loss of the page within which another is not answered by a reload: it would go on for ever. */
const LEAST_LIFE = 2000

/** Loads the page again when its process is gone. Nothing is lost but what was typed: the main process has every state. */
function reloadWhenGone(window: BrowserWindow): void {
  let lastLoss = -Infinity
  window.webContents.on('render-process-gone', (_event, { reason }) => {
    const sinceLoss = performance.now() - lastLoss
    lastLoss = performance.now()
    if (reason !== 'clean-exit' && sinceLoss >= LEAST_LIFE) window.webContents.reload()
  })
}
