import { showText } from '../core/untrusted-text.js'

/** What a device, an adapter or a driver said of an error: on one line, cut, safe to show; the error's name where it said nothing. */
export function said(error: unknown): string {
  const { message, name } = (error ?? {}) as Partial<Error>
  return showText((message || name || String(error)).trim().replace(/\s*\n\s*/g, ' '), 400)
}
