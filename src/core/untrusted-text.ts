/**
 * A string from a file or a caller, made safe to show in a message or a terminal: at most `maxLength` characters, with control
 * characters, bidirectional overrides and lone surrogates written as `\u{…}`. (Escaping for HTML is the renderer's.)
 */
export function showText(value: unknown, maxLength = 80): string {
  const text = typeof value === 'string' ? value : String(value)
  const cut = text.length > maxLength
  const kept = cut ? text.slice(0, maxLength) : text
  const shown = kept.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`)
  return cut ? `${shown}…` : shown
}
