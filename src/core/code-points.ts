/** Order by Unicode code points, as Python and OpenSSF Model Signing (v1.0 §5.2.1) have it: of UTF-16 code units a surrogate would come before U+E000. */
export function byCodePoints(a: string, b: string): number {
  let i = 0
  while (i < a.length && a[i] === b[i]) i++
  if (i === a.length || i === b.length) return a.length - b.length
  // the second half of a pair says where two characters with the same first half differ
  const from = i > 0 && isLowSurrogate(a.charCodeAt(i)) && isLowSurrogate(b.charCodeAt(i)) ? i - 1 : i
  return (a.codePointAt(from) as number) - (b.codePointAt(from) as number)
}

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit < 0xe000
}
