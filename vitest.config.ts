import react from '@vitejs/plugin-react'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', include: ['test/unit/**/*.test.ts'] } },
      {
        // Disk formats: may call e2fsck, debugfs, mtools; some take seconds.
        test: { name: 'formats', include: ['test/formats/**/*.test.ts'], testTimeout: 120_000 },
      },
      {
        plugins: [react()],
        test: { name: 'window', include: ['test/window/**/*.test.tsx'], environment: 'happy-dom' },
      },
      {
        // Real engine, loop devices, QEMU, polkit: one file after the other.
        test: {
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
