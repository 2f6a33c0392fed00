import { resolve } from 'node:path'
import react from '@vitejs/plugin-react'
import { defineConfig } from 'electron-vite'

// drivelist and dockerode's ssh2 load native code by path, which bundling breaks: dependencies stay outside the bundle.
export default defineConfig({
  main: {
    build: {
      outDir: 'out/main',
      externalizeDeps: { exclude: ['execa', 'zod'] },
      rolldownOptions: { input: { index: resolve('src/main/index.ts') } },
    },
  },
  preload: {
    // A sandboxed preload must be CommonJS and self-contained (Electron, "Process Sandboxing").
    build: {
      outDir: 'out/preload',
      rolldownOptions: {
        input: { index: resolve('src/preload/index.ts') },
        output: { format: 'cjs', entryFileNames: '[name].cjs' },
      },
    },
  },
  renderer: {
    root: 'src/renderer',
    plugins: [react()],
    // noVNC uses top-level await, hence es2022.
    build: {
      outDir: 'out/renderer',
      target: 'es2022',
      rolldownOptions: { input: { index: resolve('src/renderer/index.html') } },
    },
  },
})
