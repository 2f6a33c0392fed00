import { builtinModules } from 'node:module'
import { resolve } from 'node:path'
import { defineConfig, type Plugin } from 'vite'

const nodeBuiltins = [...builtinModules, ...builtinModules.map((name) => `node:${name}`)]

/**
 * Parts of dockerode that nothing here uses and that are most of the time the terminal form takes to start (100 ms,
 * measured): gRPC, for sessions that are never opened, and ssh2: an engine behind `ssh://` is refused before
 * (`docker/connect.ts`). They are left out.
 */
const unused = ['@grpc/grpc-js', '@grpc/proto-loader', 'ssh2']

function leanDockerode(): Plugin {
  const empty = '\0empty.cjs'
  return {
    name: 'lean-dockerode',
    enforce: 'pre',
    resolveId: (id) => (unused.includes(id) ? empty : null),
    load: (id) => (id === empty ? 'module.exports = {}' : null),
  }
}

/**
 * What runs outside the Electron main process, each built as one file: the
 * terminal form, the elevated helper, the direct engine's thread and the one that reads archives. Which one is chosen by --mode,
 * because a shared chunk would make the helper depend on a second file that
 * root would have to trust as well.
 */
export default defineConfig(({ mode }) => {
  const helper = { name: 'helper', entry: 'src/main/helper/helper.ts', external: [] }
  const entries: Record<string, { name?: string; entry: string; folder: string; external: string[] }> = {
    helper: { ...helper, folder: 'out/helper' },
    // The only one that electron-builder.yml takes: without the code of the test switch.
    shipped: { ...helper, folder: 'out/shipped' },
    direct: { entry: 'src/main/convert/direct/worker.ts', folder: 'out/direct', external: [] },
    archive: { entry: 'src/main/source/archive/thread.ts', folder: 'out/archive', external: [] },
    slipway: {
      entry: 'src/main/cli.ts',
      folder: 'out/cli',
      external: ['drivelist', 'sudo-prompt'],
    },
  }
  const chosen = entries[mode]
  if (chosen === undefined) {
    throw new Error(`vite.node.config.ts: --mode must be one of ${Object.keys(entries).join(', ')}`)
  }
  return {
    plugins: [leanDockerode()],
    define: { __LOOP_TARGETS__: JSON.stringify(mode === 'helper') },
    build: {
      outDir: chosen.folder,
      target: 'node20',
      minify: false,
      ssr: true,
      emptyOutDir: true,
      rolldownOptions: {
        input: { [chosen.name ?? mode]: resolve(chosen.entry) },
        external: [...nodeBuiltins, ...chosen.external],
        output: {
          format: 'cjs',
          entryFileNames: '[name].cjs',
          chunkFileNames: '[name]-[hash].cjs',
          codeSplitting: mode === 'slipway',
        },
      },
    },
    ssr: { noExternal: true, external: chosen.external },
  }
})
