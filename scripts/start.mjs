import { build, isBuildStale } from './setup/build.mjs'
import { cleanUp, wasInterrupted } from './setup/clean-up.mjs'
import { electronBinary } from './setup/electron-runtime.mjs'
import { root } from './setup/paths.mjs'
import { isRoot, run } from './setup/run.mjs'
import { setUp } from './setup/setup.mjs'
import { say } from './setup/talk.mjs'
import { wholeJob } from './setup/whole-job.mjs'

/** `npm start`: gets the machine ready, then opens the window, or without a display does the whole job here. */
async function start() {
  const hasDisplay =
    process.platform !== 'linux' || Boolean(process.env.DISPLAY || process.env.WAYLAND_DISPLAY)
  const { electron } = await setUp(hasDisplay ? 'window' : 'terminal', { ask: true })
  if (isBuildStale()) {
    say('Building Slipway.')
    await build()
  }
  return electron === null ? wholeJob() : openWindow(electron)
}

async function openWindow(electron) {
  // Chromium's sandbox refuses to run as root.
  const args = [...(isRoot() ? ['--no-sandbox'] : []), root]
  const env = { ...process.env, ELECTRON_OVERRIDE_DIST_PATH: electron }
  const { code } = await run(electronBinary(electron), args, { show: true, env })
  return code
}

try {
  process.exitCode = await start()
} catch (error) {
  process.stderr.write(wasInterrupted() ? 'Stopped.\n' : `${error.message}\n`)
  process.exitCode = 1
} finally {
  await cleanUp()
}
