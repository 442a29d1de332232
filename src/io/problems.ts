import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'

/** Gathers what is wrong with several inputs, so that a caller hears of all of it at once. */
export interface Problems {
  add(problem: InputError): void
  /** Runs `read`; where it throws an `InputError`, notes it and gives `undefined`. Other errors pass. */
  attempt<T>(read: () => Promise<T>): Promise<T | undefined>
  /** Throws one `InputError` with every message on a line of its own and the first problem's code; nothing where there is none. */
  throwIfAny(): void
}

export function gatherProblems(): Problems {
  const problems: InputError[] = []
  return {
    add: (problem) => {
      problems.push(problem)
    },
    async attempt(read) {
      try {
        return await read()
      } catch (error) {
        if (!(error instanceof InputError)) throw error
        problems.push(error)
        return undefined
      }
    },
    throwIfAny() {
      const [first] = problems
      if (!first) return
      if (problems.length === 1) throw first
      throw new InputError(first.code, problems.map((problem) => problem.message).join('\n'), {
        problems: problems.map(({ code, message, details }) => ({ code, message: showText(message, 400), details })),
      })
    },
  }
}
