import { opaque, type Value } from './pickle-values.js'

/** A number as Python reads one: 10 is also +10, 010 and 1_0. */
export function wholeNumber(line: string): number | null {
  return /^\s*[+-]?\d+(?:_\d+)*\s*$/.test(line) ? Number(line.replaceAll('_', '')) : null
}

/** The text of a string of protocol 0 in its quotes. */
export function unquoted(line: string): Value {
  const [, quote, inner] = /^\s*(['"])(.*)\1\s*$/s.exec(line) ?? []
  if (quote === undefined || inner === undefined) return opaque
  return inner.replace(/\\(?:x([0-9a-fA-F]{2})|([0-7]{1,3})|(.))/gs, (_, hex, octal, other) =>
    hex
      ? String.fromCharCode(Number.parseInt(hex, 16))
      : octal
        ? String.fromCharCode(Number.parseInt(octal, 8) & 255)
        : (escapes[other] ?? other),
  )
}

const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', a: '\x07', b: '\b', f: '\f', v: '\v' }

/** "raw-unicode-escape": \uXXXX and \UXXXXXXXX, and nothing else. */
export function unescaped(line: string): string {
  return line.replace(/\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))/g, (whole, four, eight) => {
    const code = Number.parseInt(four ?? eight, 16)
    return code > 0x10ffff ? whole : String.fromCodePoint(code)
  })
}
