import { type Report, reportSchema } from './schema.js'

/**
 * A report as JSON text: keys in the schema's order, records (`options`, `timings.detectors`) by name. Equal reports give equal bytes.
 * Throws zod's error where the value is no report (NaN included).
 */
export function renderJson(report: Report): string {
  const ordered = reportSchema.parse(report)
  const sorted = {
    ...ordered,
    options: sortKeys(ordered.options),
    timings: { ...ordered.timings, detectors: sortKeys(ordered.timings.detectors) },
  }
  return toJsonText(sorted)
}

/**
 * A value as JSON text: two spaces, a newline at the end. Control characters and bidirectional overrides in strings are written as
 * `\uXXXX`, so that printing the text cannot drive a terminal; they parse back unchanged.
 */
export function toJsonText(value: unknown): string {
  return `${JSON.stringify(value, null, 2).replace(/[\u007f-\u009f\p{Cf}\p{Zl}\p{Zp}]/gu, escapeCharacter)}\n`
}

/** The only characters of these kinds that JSON.stringify leaves in its output are inside strings, where `\uXXXX` may stand for them. */
function escapeCharacter(character: string): string {
  let escaped = ''
  for (let i = 0; i < character.length; i++) escaped += `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`
  return escaped
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys)
  if (value === null || typeof value !== 'object') return value
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  return Object.fromEntries(entries.map(([key, inner]) => [key, sortKeys(inner)]))
}
