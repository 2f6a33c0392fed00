import { docker, startEngine } from '../../scripts/setup/engine.mjs'
import { buildHowto, ensureBase } from '../../scripts/setup/images.mjs'

/** A Docker Engine that tests may do with as they like. */
export interface TestEngine {
  /** For DOCKER_HOST: `unix://` and the socket. */
  host: string
  /** The socket's path. */
  socket: string
  /** The name of the image that is built from examples/howto. */
  howtoImage: string
  /** Ends the engine and removes its data; nothing where the engine belongs to the whole run. */
  stop: () => Promise<void>
}

/** A small image to build others on, which `FROM debian:12` finds without a registry. */
export const BASE_IMAGE = 'debian:12'

/**
 * The engine of this test run: the one that `npm test` started, with the HOWTO's image built, or when a test
 * file is run by itself an engine of its own, where `ensureHowtoImage` builds it.
 * @returns the engine, to be stopped when the file's tests are over
 * @throws when it cannot be started, which needs root
 */
export async function startTestEngine(): Promise<TestEngine> {
  const socket = process.env['SLIPWAY_TEST_ENGINE']
  const howtoImage = process.env['SLIPWAY_TEST_HOWTO_IMAGE'] ?? 'my-machine:latest'
  if (socket !== undefined) {
    return { host: `unix://${socket}`, socket, howtoImage, stop: () => Promise.resolve() }
  }
  const engine = await startEngine()
  try {
    await ensureBase(engine.host)
  } catch (error) {
    await engine.stop()
    throw error
  }
  return { host: engine.host, socket: engine.socket, howtoImage, stop: engine.stop }
}

/**
 * Has the HOWTO's image in the engine; builds it, which takes one to three minutes, where it is not there.
 * @returns its name
 */
export async function ensureHowtoImage(engine: TestEngine): Promise<string> {
  const found = await docker(engine.host, ['image', 'inspect', engine.howtoImage])
  if (found.code !== 0) {
    await ensureBase(engine.host)
    await buildHowto(engine.host, engine.howtoImage, { label: 'slipway.test' })
  }
  return engine.howtoImage
}
