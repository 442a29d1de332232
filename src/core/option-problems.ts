import { showText } from './untrusted-text.js'

/** The fields of a schema library's issue that say what was expected. */
export interface OptionIssue {
  readonly code: string
  readonly path: readonly PropertyKey[]
  readonly message: string
  readonly expected?: unknown
  readonly values?: readonly unknown[]
  readonly keys?: readonly string[]
  readonly minimum?: number | bigint
  readonly maximum?: number | bigint
  readonly inclusive?: boolean
}

/** One line for each option that is wrong: *where: name: what was got, what was expected*. `given` is what was checked. */
export function describeOptionProblems(where: string, issues: readonly OptionIssue[], given: unknown): string {
  return issues
    .flatMap((issue) => {
      if (issue.code === 'unrecognized_keys')
        return (issue.keys ?? []).map((key) => `${where}: ${showText(key)}: there is no such option; the README lists them`)
      const name = issue.path.map((part) => showText(String(part))).join('.')
      return [`${where}: ${name === '' ? '' : `${name}: `}got ${shown(valueAt(given, issue.path))}, expected ${expected(issue)}`]
    })
    .join('\n')
}

function expected(issue: OptionIssue): string {
  const { code, minimum, maximum, inclusive, values } = issue
  if (code === 'too_small') return `a number ${inclusive === false ? '>' : '≥'} ${minimum}`
  if (code === 'too_big') return `a number ${inclusive === false ? '<' : '≤'} ${maximum}`
  if (code === 'invalid_value') return `one of ${(values ?? []).map(String).join(', ')}`
  if (code === 'invalid_type') return issue.expected === 'int' ? 'a whole number' : `a value of type ${String(issue.expected)}`
  return issue.message.replace(/^expected /, '')
}

function valueAt(given: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((value, key) => (value as Record<PropertyKey, unknown> | null | undefined)?.[key], given)
}

function shown(value: unknown): string {
  if (value !== null && typeof value === 'object') return Array.isArray(value) ? 'a list' : 'an object'
  return typeof value === 'string' ? `"${showText(value)}"` : showText(value)
}
