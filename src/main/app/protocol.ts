import { readdirSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { extname, join, relative, sep } from 'node:path'
import { protocol, type Session } from 'electron'

/** The only origin that the window has. */
export const APP_ORIGIN = 'app://slipway'

/** Sent with every answer; nothing is allowed that is not named. Styles come from files and CSSOM only. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data: blob:",
  "font-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

const contentTypes: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.woff2': 'font/woff2',
}

/** Must be called before Electron is ready (Electron, protocol.registerSchemesAsPrivileged). */
export function registerAppScheme(): void {
  protocol.registerSchemesAsPrivileged([{ scheme: 'app', privileges: { standard: true, secure: true } }])
}

/**
 * Serves the built window under `app://slipway/`. The files that are there at
 * the start are the allowlist: a path is looked up, never resolved.
 * @param session the session of the window
 * @param folder absolute path of the built renderer
 */
export function serveWindow(session: Session, folder: string): void {
  const files = new Map<string, string>()
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    files.set(`/${relative(folder, path).split(sep).join('/')}`, path)
  }
  session.protocol.handle('app', async (request) => {
    const url = new URL(request.url)
    const path = url.host === 'slipway' && request.method === 'GET' ? files.get(url.pathname) : undefined
    if (path === undefined) return new Response('not found', { status: 404 })
    return new Response(new Uint8Array(await readFile(path)), {
      headers: {
        'content-type': contentTypes[extname(path)] ?? 'application/octet-stream',
        'content-security-policy': contentSecurityPolicy,
        'x-content-type-options': 'nosniff',
        'cross-origin-opener-policy': 'same-origin',
      },
    })
  })
  // The window needs no network. A dependency that turns malicious gets none.
  session.webRequest.onBeforeRequest((details, answer) => {
    const allowed = details.url.startsWith(`${APP_ORIGIN}/`) || details.url.startsWith(`blob:${APP_ORIGIN}/`)
    answer({ cancel: !allowed && !details.url.startsWith('data:image/') })
  })
}
