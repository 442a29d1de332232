import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    environment: 'node',
    setupFiles: ['test/support/quick-gpu.ts'],
    include: ['test/**/*.test.ts'],
    exclude: ['**/node_modules/**', 'dist/**'],
    maxWorkers: '100%', // most files keep one core busy
    pool: 'forks', // the native WebGPU package wants a process of its own
    testTimeout: 60_000, // a software adapter compiles a shader in about a second
    hookTimeout: 120_000,
    teardownTimeout: 20_000,
    reporters: ['default', './test/support/count-reporter.ts'],
  },
})
