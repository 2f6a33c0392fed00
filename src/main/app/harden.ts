import { app, type Session } from 'electron'

/** Denies what Electron allows by default: navigation, new windows, webviews. Call before any window is made. */
export function denyByDefault(): void {
  // As root Chromium's sandbox cannot be had, and asking for it in spite of --no-sandbox ends every child process.
  if (!app.commandLine.hasSwitch('no-sandbox')) app.enableSandbox()
  app.on('web-contents-created', (_event, contents) => {
    contents.on('will-navigate', (event) => {
      event.preventDefault()
    })
    contents.on('will-redirect', (event) => {
      event.preventDefault()
    })
    contents.on('will-attach-webview', (event) => {
      event.preventDefault()
    })
    contents.setWindowOpenHandler(() => ({ action: 'deny' }))
  })
}

/** Electron grants permissions when nobody answers (Electron, "Security", 5): all are refused. */
export function denyPermissions(session: Session): void {
  session.setPermissionRequestHandler((_contents, _permission, answer) => {
    answer(false)
  })
  session.setPermissionCheckHandler(() => false)
  session.setDevicePermissionHandler(() => false)
}
