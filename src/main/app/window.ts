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
  void window.loadURL(`${APP_ORIGIN}/index.html`)
  return window
}
