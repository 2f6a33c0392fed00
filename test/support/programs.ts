import { join, resolve } from 'node:path'
import { build } from 'vite'

/** What Slipway is outside of its window, by the folders that each finds the others in. */
const modes = { cli: 'slipway', helper: 'helper', direct: 'direct', archive: 'archive' } as const

/**
 * Builds Slipway's programs from the checkout, so that a test runs what is in it.
 * @param folder gets a folder for each program
 * @param names which ones
 */
export async function buildPrograms(folder: string, names: readonly (keyof typeof modes)[]): Promise<void> {
  for (const name of names) {
    await build({
      configFile: resolve('vite.node.config.ts'),
      mode: modes[name],
      logLevel: 'error',
      build: { outDir: join(folder, name) },
    })
  }
}
