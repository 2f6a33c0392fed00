// What `electron path/to/app` starts: Electron's own default_app.asar does this, and a runtime that was
// taken out of a packaged program has none. After electron/electron, default_app/main.ts.
import { app } from 'electron'
import { existsSync, readFileSync } from 'node:fs'
import Module from 'node:module'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

const preloads = []
let target = null
const args = process.argv.slice(1)
while (args.length > 0 && target === null) {
  const arg = args.shift()
  if (arg === '-r' || arg === '--require') {
    preloads.push(args.shift())
  } else if (arg === '-v' || arg === '--version') {
    process.stdout.write(`v${process.versions.electron}\n`)
    process.exit(0)
  } else if (!arg.startsWith('-')) {
    target = resolve(arg)
  }
}
if (target === null) {
  process.stderr.write('usage: electron [-r module] path/to/app\n')
  process.exit(1)
}
if (preloads.length > 0) {
  Module._preloadModules(preloads)
}
Object.defineProperty(process, 'defaultApp', { configurable: false, enumerable: true, value: true })
const manifest = join(target, 'package.json')
if (existsSync(manifest)) {
  const { name, productName, version } = JSON.parse(readFileSync(manifest, 'utf8'))
  app.setName(productName ?? name)
  app.setVersion(version ?? '0.0.0')
  app.setPath('userData', join(app.getPath('appData'), app.getName()))
  app.setAppPath(target)
}
// Electron holds back `ready` only while a module's top level is awaited, and app.enableSandbox() must come before it.
try {
  await import(pathToFileURL(Module._resolveFilename(target, null, true)).href)
} catch (error) {
  process.stderr.write(`${error.stack}\n`)
  process.exit(1)
}
