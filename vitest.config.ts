import react from '@vitejs/plugin-react'
import { defineConfig } from 'vitest/config'

/** Limits of milliseconds are against what never ends: a machine that is several times slower fails nothing. */
const patience = { testTimeout: 60_000, hookTimeout: 60_000, expect: { poll: { timeout: 20_000 } } }

export default defineConfig({
  test: {
    projects: [
      { test: { ...patience, name: 'unit', include: ['test/unit/**/*.test.ts'] } },
      {
        // Disk formats: may call e2fsck, debugfs, mtools; some take seconds.
        test: { ...patience, name: 'formats', include: ['test/formats/**/*.test.ts'], testTimeout: 120_000 },
      },
      {
        plugins: [react()],
        test: {
          ...patience,
          ...{ name: 'window', include: ['test/window/**/*.test.tsx'], environment: 'happy-dom' },
        },
      },
      {
        // Real engine, loop devices, QEMU, polkit: one file after the other.
        test: {
          ...patience,
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 900_000,
          hookTimeout: 900_000,
        },
      },
      {
        // One machine in QEMU with real USB sticks, and what can go wrong with them. By hand: it takes twelve minutes.
        test: {
          name: 'sticks',
          include: ['test/sticks/**/*.test.ts'],
          testTimeout: 400_000,
          hookTimeout: 900_000,
        },
      },
      {
        // Long boots that are run by hand and reported with their date; no part of `npm test`.
        test: {
          name: 'matrix',
          include: ['test/matrix/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 3_600_000,
          hookTimeout: 900_000,
        },
      },
      {
        test: {
          ...patience,
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 900_000,
          hookTimeout: 900_000,
        },
      },
    ],
  },
})
