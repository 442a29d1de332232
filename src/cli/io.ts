import type { BackendDescription } from '../backends/describe.js'
import type { toHtml } from '../html.js'
import type { auditWithScores, openAudit } from '../node.js'

/** Where text goes. `write` resolves once the text is handed on. */
export interface Output {
  readonly isTTY: boolean
  /** Columns of the terminal, where it is one. */
  readonly columns: number | undefined
  write(text: string): Promise<void>
}

/** What a command touches besides the file system: passed in, so that commands run in a test as they run in a shell. */
export interface Io {
  readonly stdout: Output
  readonly stderr: Output
  readonly env: Readonly<Record<string, string | undefined>>
  readonly signal: AbortSignal
  /** From now on a first signal to the process aborts `signal` and no more: the command ends by itself. A second one leaves at once. */
  readonly finishOnSignal: () => void
  /** The library, loaded when a command needs it: `--help` should not wait for it. */
  readonly library: {
    auditWithScores: typeof auditWithScores
    openAudit: typeof openAudit
    toHtml: typeof toHtml
    describeBackends: () => Promise<BackendDescription>
  }
}

/** Whether to colour what goes to `output`: NO_COLOR (no-color.org) wins, then FORCE_COLOR, then whether it is a terminal. */
export function wantsColor(output: Output, env: Io['env']): boolean {
  if (env.NO_COLOR) return false
  if (env.FORCE_COLOR !== undefined) return env.FORCE_COLOR !== '0' && env.FORCE_COLOR !== 'false'
  return output.isTTY && env.TERM !== 'dumb'
}
