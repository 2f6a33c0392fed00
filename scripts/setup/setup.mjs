import { installDependencies } from './dependencies.mjs'
import { electronRuntime } from './electron-runtime.mjs'
import { installPackages, needsFor } from './packages.mjs'

/**
 * Gets the machine ready: the npm packages, what the system must have, and an Electron runtime.
 * @param {'window' | 'terminal' | 'test'} purpose
 * @param {{ ask: boolean }} options ask: whether to ask before installing
 * @returns {Promise<{ missing: string[], electron: string | null }>} what could not be had, in words, and the
 *   Electron directory, null for the terminal, which has no use for it
 * @throws {Error} when it can go no further
 */
export async function setUp(purpose, options) {
  await installDependencies(options)
  const remaining = await installPackages(needsFor(purpose), options)
  const electron = purpose === 'terminal' ? null : await electronRuntime()
  return { missing: remaining.map((need) => need.what), electron }
}
