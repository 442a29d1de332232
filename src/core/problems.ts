import { InputError } from './errors.js'
import { showText } from './untrusted-text.js'

/** Gathers what is wrong with several inputs, so that a caller hears of all of it at once. */
export interface Problems {
  add(problem: InputError): void
  /** Runs `read`; where it throws or rejects with an `InputError`, notes that and gives `undefined`. Other errors pass. */
  attempt<T>(read: () => Promise<T>): Promise<T | undefined>
  attempt<T>(read: () => T): T | undefined
  /** Throws one `InputError` with every message on a line of its own and the first problem's code; nothing where there is none. */
  throwIfAny(): void
}

export function gatherProblems(): Problems {
  const problems: InputError[] = []
  const note = (error: unknown): undefined => {
    if (!(error instanceof InputError)) throw error
    problems.push(error)
  }
  return {
    add: (problem) => {
      problems.push(problem)
    },
    attempt: ((read: () => unknown) => {
      try {
        const got = read()
        return got instanceof Promise ? got.catch(note) : got
      } catch (error) {
        return note(error)
      }
    }) as Problems['attempt'],
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
