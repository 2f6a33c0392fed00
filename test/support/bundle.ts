import { builtinModules } from 'node:module'
import { build } from 'vite'

/**
 * Bundles a TypeScript file into one CommonJS file that plain Node runs: for
 * tests that need a process of their own, to kill it.
 * @param entry absolute path
 * @param folder where `<name>.cjs` is written
 * @param name without its ending
 */
export async function bundleForNode(entry: string, folder: string, name: string): Promise<void> {
  await build({
    configFile: false,
    logLevel: 'error',
    build: {
      ssr: true,
      outDir: folder,
      emptyOutDir: false,
      target: 'node20',
      minify: false,
      rolldownOptions: {
        input: { [name]: entry },
        external: [...builtinModules, ...builtinModules.map((module) => `node:${module}`)],
        output: { format: 'cjs', entryFileNames: '[name].cjs' },
      },
    },
    ssr: { noExternal: true },
  })
}
