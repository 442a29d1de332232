import type { Progress } from '../core/backend.js'
import { showText } from '../core/untrusted-text.js'
import type { Output } from './io.js'

/** Returns to the start of the line and empties it. */
export const clearLine = '\r\u001b[K'

export interface ProgressLine {
  report(progress: Progress): void
  /** Takes the line away, so that what is printed next starts on an empty one. */
  clear(): Promise<void>
}

/** One line on a terminal that says what is being done; nothing at all where `stderr` is no terminal, or `quiet`. */
export function createProgressLine(stderr: Output, { quiet }: { quiet: boolean }): ProgressLine {
  const enabled = stderr.isTTY && !quiet
  let shown = ''
  return {
    report({ stage, done, total }) {
      if (!enabled) return
      const percent = total > 0 ? Math.floor((100 * done) / total) : 0
      // One column is left free: a full line would make some terminals wrap, and the next clear would miss its head.
      const line = `${showText(stage, 40)} ${percent} %`.slice(0, Math.max(1, (stderr.columns ?? 80) - 1))
      if (line === shown) return
      shown = line
      // A terminal that is gone must not end the audit.
      stderr.write(clearLine + line).catch(() => {})
    },
    async clear() {
      if (shown === '') return
      shown = ''
      await stderr.write(clearLine)
    },
  }
}
