import { InputError } from '../core/errors.js'

/**
 * Strings of numpy's `U` dtype: `width` UTF-32 code points each, in this machine's byte order, padded with NULs. Throws `InputError`
 * `bad-string` for what is no Unicode scalar value: two lone surrogates would read as one other character, and two labels as one.
 */
export function decodeUnicodeStrings(bytes: Uint8Array, count: number, width: number, where: string): string[] {
  const points = new Uint32Array(bytes.buffer, bytes.byteOffset, count * width)
  const strings: string[] = []
  for (let element = 0; element < count; element++) {
    const start = element * width
    let end = start + width
    while (end > start && points[end - 1] === 0) end--
    let text = ''
    for (let at = start; at < end; at++) {
      const point = points[at] as number
      if (point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) throw badString(element, 'Unicode', where)
      text += String.fromCodePoint(point)
    }
    strings.push(text)
  }
  return strings
}

/** Strings of numpy's `S` dtype: `width` bytes each, padded with NULs, read as UTF-8. Throws `InputError` `bad-string` where they are not. */
export function decodeBytesStrings(bytes: Uint8Array, count: number, width: number, where: string): string[] {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  const strings: string[] = []
  for (let element = 0; element < count; element++) {
    const start = element * width
    let end = start + width
    while (end > start && bytes[end - 1] === 0) end--
    try {
      strings.push(decoder.decode(bytes.subarray(start, end)))
    } catch (cause) {
      throw badString(element, 'UTF-8', where, cause)
    }
  }
  return strings
}

function badString(element: number, encoding: string, where: string, cause?: unknown): InputError {
  return new InputError('bad-string', `${where}: element ${element} is not valid ${encoding}; save the array as str`, { element }, cause)
}
