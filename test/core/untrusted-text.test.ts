import { expect, test } from 'vitest'
import { showText } from '../../src/core/untrusted-text.js'

test('plain text of any script stays as it is', () => {
  expect(showText('stop sign – Überholverbot 速度 🛑')).toBe('stop sign – Überholverbot 速度 🛑')
})

test.each([
  ['an escape sequence', '\u001b[2Jgone', '\\u{1b}[2Jgone'],
  ['a line break', 'a\nb\r', 'a\\u{a}b\\u{d}'],
  ['a NUL and a C1 control', '\0\u009b', '\\u{0}\\u{9b}'],
  ['a bidirectional override', 'abc\u202egnp.exe', 'abc\\u{202e}gnp.exe'],
  ['an isolate', '\u2066x\u2069', '\\u{2066}x\\u{2069}'],
  ['a zero-width joiner', 'a\u200db', 'a\\u{200d}b'],
  ['line and paragraph separators', '\u2028\u2029', '\\u{2028}\\u{2029}'],
  ['a tag character', '\u{e0041}', '\\u{e0041}'],
  ['a lone surrogate', 'a\ud83d', 'a\\u{d83d}'],
])('%s is shown, not obeyed', (_, text, shown) => {
  expect(showText(text)).toBe(shown)
})

test('long text is cut and says so, also in the middle of a surrogate pair', () => {
  expect(showText('x'.repeat(100))).toBe(`${'x'.repeat(80)}…`)
  expect(showText('x'.repeat(80))).toBe('x'.repeat(80))
  expect(showText('ab🛑', 3)).toBe('ab\\u{d83d}…')
})

test('values of any type are shown as text', () => {
  expect(showText(null)).toBe('null')
  expect(showText(undefined)).toBe('undefined')
  expect(showText(1.5)).toBe('1.5')
  expect(showText(Symbol('s'))).toBe('Symbol(s)')
  expect(showText(['a\n'])).toBe('a\\u{a}')
})
