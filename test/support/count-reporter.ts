import type { Reporter, SerializedError, TestModule } from 'vitest/node'

/**
 * Prints `N passed, N failed, N skipped` alone on the last line of a run. A file or a suite that could not be loaded, a hook that
 * threw and an error outside any test each count as failed, so that `0 failed` means that the run succeeded.
 */
export default class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    const count = { passed: 0, failed: unhandledErrors.length, skipped: 0, pending: 0 }
    for (const module of modules) {
      for (const test of module.children.allTests()) count[test.result().state] += 1
      for (const suite of [module, ...module.children.allSuites()]) count.failed += suite.errors().length
    }
    if (modules.length === 0) count.failed += 1
    const line = `${count.passed} passed, ${count.failed + count.pending} failed, ${count.skipped} skipped`
    process.once('exit', () => process.stdout.write(`${line}\n`)) // after the other reporters
  }
}
