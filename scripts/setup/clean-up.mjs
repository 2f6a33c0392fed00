/** @type {(() => unknown)[]} */
const deferred = []
let finishing = null
let interrupted = false

/**
 * Promises that something will be released: at the end, on a failure, and on Ctrl-C, the last one first.
 * @param {() => unknown} release
 * @returns {() => Promise<void>} releases it now instead
 */
export function defer(release) {
  deferred.push(release)
  return async () => {
    if (forget(release)) {
      await release()
    }
  }
}

/**
 * Takes a promise back: there is nothing left to release.
 * @param {() => unknown} release as it was deferred
 * @returns {boolean} whether it was still to be done
 */
export function forget(release) {
  const index = deferred.indexOf(release)
  if (index === -1) {
    return false
  }
  deferred.splice(index, 1)
  return true
}

/** @returns {boolean} whether a signal told us to stop, so that failures from then on mean nothing */
export function wasInterrupted() {
  return interrupted
}

/** Releases all that was deferred; what fails is said and does not keep the others from being released. */
export function cleanUp() {
  return (finishing ??= releaseAll())
}

async function releaseAll() {
  for (let release = deferred.pop(); release !== undefined; release = deferred.pop()) {
    try {
      await release()
    } catch (error) {
      process.stderr.write(`While cleaning up: ${error.message}\n`)
      process.exitCode = 1
    }
  }
}

for (const [signal, number] of Object.entries({ SIGINT: 2, SIGTERM: 15, SIGHUP: 1 })) {
  process.on(signal, () => {
    interrupted = true
    cleanUp().finally(() => process.exit(128 + number))
  })
}
