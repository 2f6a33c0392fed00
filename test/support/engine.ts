import { startEngine } from '../../scripts/setup/engine.mjs'
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
 * The engine of this test run, with BASE_IMAGE and the HOWTO's image in it: the one that `npm test` started, or
 * where a test file is run by itself an engine of its own, which takes two minutes because the image is built.
 * @returns the engine, to be stopped when the file's tests are over
 * @throws when it cannot be started, which needs root; nothing is left then
 */
export async function testEngine(): Promise<TestEngine> {
  const socket = process.env['SLIPWAY_TEST_ENGINE']
  const howtoImage = process.env['SLIPWAY_TEST_HOWTO_IMAGE'] ?? 'my-machine:latest'
  if (socket !== undefined) {
    return { host: `unix://${socket}`, socket, howtoImage, stop: () => Promise.resolve() }
  }
  const engine = await startEngine()
  try {
    await ensureBase(engine.host)
    await buildHowto(engine.host, howtoImage)
  } catch (error) {
    await engine.stop()
    throw error
  }
  return { host: engine.host, socket: engine.socket, howtoImage, stop: engine.stop }
}
