import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'

/** A tensor as the header describes it, checked in form only. */
export interface SafetensorsTensor {
  readonly name: string
  readonly dtype: string
  readonly shape: readonly number[]
  /** Half-open range of bytes behind the header. */
  readonly start: number
  readonly end: number
}

export interface SafetensorsHeader {
  readonly tensors: readonly SafetensorsTensor[]
  readonly metadata: ReadonlyMap<string, string>
}

/** As many as numpy 2 has. */
const maxDimensions = 64

/**
 * Parses the JSON of a safetensors header: an object of tensors `{"dtype": …, "shape": […], "data_offsets": [start, end]}` and, under
 * `__metadata__`, of strings; padded with spaces at its end. One pass, no recursion, and none but this form of JSON: `JSON.parse` takes
 * the last of two equal keys in silence. Throws `InputError` `bad-header` or `duplicate-name`, with the character where it goes wrong.
 */
export function parseSafetensorsHeader(text: string, where: string): SafetensorsHeader {
  let at = 0
  const fail = (expected: string): never => {
    const got = at < text.length ? `'${showText(text.slice(at, at + 24), 24)}'` : 'its end'
    throw new InputError('bad-header', `${where}: the safetensors header has ${got} at character ${at}, expected ${expected}`, { at })
  }
  const skipSpace = () => {
    while (at < text.length && ' \t\r\n'.includes(text[at] as string)) at++
  }
  const symbol = (character: string): boolean => {
    skipSpace()
    if (text[at] !== character) return false
    at++
    skipSpace()
    return true
  }
  const expectSymbol = (character: string) => symbol(character) || fail(`'${character}'`)
  const string = (what: string): string => {
    if (text[at] !== '"') fail(what)
    const start = at
    let end = at + 1
    while (end < text.length && text[end] !== '"') end += text[end] === '\\' ? 2 : 1
    let value = ''
    try {
      value = JSON.parse(text.slice(start, end + 1)) as string
    } catch {
      fail(`${what}, in JSON`)
    }
    if (/\p{Cs}/u.test(value)) fail(`${what}, without lone surrogates`)
    at = end + 1
    return value
  }
  const wholeNumber = (): number => {
    const pattern = /(?:0|[1-9]\d*)(?![\d.eE])/y
    pattern.lastIndex = at
    const digits = pattern.exec(text)?.[0]
    const value = Number(digits)
    if (digits === undefined || !Number.isSafeInteger(value)) fail('a whole number from 0 to 2⁵³ − 1')
    at = pattern.lastIndex
    return value
  }
  const numbers = (most: number): number[] => {
    const values: number[] = []
    expectSymbol('[')
    if (symbol(']')) return values
    do {
      if (values.length === most) fail(`at most ${most} numbers`)
      values.push(wholeNumber())
    } while (symbol(','))
    expectSymbol(']')
    return values
  }
  /** Calls `member` with each key, standing at its value. */
  const object = (member: (key: string) => void) => {
    const seen = new Set<string>()
    expectSymbol('{')
    if (symbol('}')) return
    do {
      const key = string('a key in double quotes')
      if (seen.has(key)) {
        const message = `${where}: the safetensors header has the key '${showText(key)}' twice, expected once; write the file again`
        throw new InputError('duplicate-name', message, { key: showText(key) })
      }
      seen.add(key)
      expectSymbol(':')
      member(key)
    } while (symbol(','))
    expectSymbol('}')
  }
  const tensor = (name: string): SafetensorsTensor => {
    const found: { dtype?: string; shape?: number[]; offsets?: number[] } = {}
    object((key) => {
      if (key === 'dtype') found.dtype = string('a dtype in double quotes')
      else if (key === 'shape') found.shape = numbers(maxDimensions)
      else if (key === 'data_offsets') found.offsets = numbers(2)
      else fail(`dtype, shape or data_offsets as keys of '${showText(name)}'`)
    })
    const { dtype, shape, offsets } = found
    const [start, end] = offsets ?? []
    if (dtype === undefined || shape === undefined || start === undefined || end === undefined) {
      throw new InputError(
        'bad-header',
        `${where}: tensor '${showText(name)}' lacks a dtype, a shape or two data_offsets; write the file again`,
      )
    }
    return { name, dtype, shape, start, end }
  }

  const tensors: SafetensorsTensor[] = []
  const metadata = new Map<string, string>()
  if (text[0] !== '{') fail("'{'")
  object((name) => {
    if (name !== '__metadata__') tensors.push(tensor(name))
    else object((key) => metadata.set(key, string('a string, as all of __metadata__')))
  })
  if (at < text.length) fail('nothing but spaces after the closing brace')
  return { tensors, metadata }
}
