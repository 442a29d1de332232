import { showText } from '../core/untrusted-text.js'

/** Names from a file or a folder for a message: the first few, and how many there are. */
export function listNames(names: readonly string[]): string {
  if (names.length === 0) return 'nothing'
  const shown = names.slice(0, 12).map((name) => showText(name, 60))
  return names.length > shown.length ? `${shown.join(', ')} and ${names.length - shown.length} more` : shown.join(', ')
}
