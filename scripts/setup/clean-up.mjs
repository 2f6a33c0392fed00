/** @type {(() => unknown)[]} */
const deferred = []
let finishing = null

/**
 * Promises that something will be released: at the end, on a failure, and on Ctrl-C, the last one first.
 * @param {() => unknown} release
 * @returns {() => Promise<void>} releases it now instead
 */
export function defer(release) {
  deferred.push(release)
  return async () => {
    const index = deferred.indexOf(release)
    if (index !== -1) {
      deferred.splice(index, 1)
      await release()
    }
  }
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
    cleanUp().finally(() => process.exit(128 + number))
  })
}
