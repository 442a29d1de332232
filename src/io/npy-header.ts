import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import { type ByteSource, readHead } from './byte-source.js'

/** What the header of a `.npy` file says, checked in form only. */
export interface NpyHeader {
  /** The dtype as numpy writes it: `<f4`, `|b1`, `>U12`. */
  readonly descr: string
  readonly fortranOrder: boolean
  readonly shape: readonly number[]
  /** Where the payload begins. */
  readonly dataStart: number
}

/** As much as a version 1 header can have; numpy itself refuses more than 10,000 characters. */
const maxHeaderBytes = 65535
/** As many as numpy 2 has. */
const maxDimensions = 64

/**
 * Reads the header of a `.npy` file, format versions 1.0, 2.0 and 3.0. Throws `InputError` `bad-magic`, `unsupported-version`,
 * `truncated`, `header-too-large`, `bad-header`, or `unsupported-dtype` for structured arrays.
 */
export async function readNpyHeader(source: ByteSource, where: string): Promise<NpyHeader> {
  const prelude = await readHead(source, Math.min(12, source.byteLength))
  const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]
  if (prelude.length < 10 || magic.some((byte, index) => prelude[index] !== byte)) {
    throw new InputError('bad-magic', `${where}: does not begin as a .npy file does; write it with numpy.save`)
  }
  const [major, minor] = [prelude[6], prelude[7]]
  if (minor !== 0 || (major !== 1 && major !== 2 && major !== 3)) {
    throw new InputError('unsupported-version', `${where}: is .npy version ${major}.${minor}, expected 1.0, 2.0 or 3.0`, { major, minor })
  }
  const view = new DataView(prelude.buffer, prelude.byteOffset, prelude.byteLength)
  const start = major === 1 ? 10 : 12
  if (prelude.length < start) throw new InputError('truncated', `${where}: ends inside the .npy header; copy it again`)
  const length = major === 1 ? view.getUint16(8, true) : view.getUint32(8, true)
  if (length > maxHeaderBytes) {
    throw new InputError('header-too-large', `${where}: declares a header of ${length} bytes, expected at most ${maxHeaderBytes}`, {
      length,
    })
  }
  const dataStart = start + length
  if (dataStart > source.byteLength) {
    throw new InputError('truncated', `${where}: declares a header of ${length} bytes, but has ${source.byteLength - start}; copy it again`)
  }
  const text = decode((await readHead(source, dataStart)).subarray(start), major, where)
  return { ...parseHeader(text, where), dataStart }
}

function decode(bytes: Uint8Array, major: number, where: string): string {
  if (major < 3) return new TextDecoder('latin1').decode(bytes)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new InputError('bad-header', `${where}: the .npy header is not UTF-8, as version 3.0 asks for`, {}, cause)
  }
}

/**
 * Parses the Python literal `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`: just these three keys, each once, in any
 * order. One pass, no recursion; nothing is evaluated.
 */
export function parseHeader(text: string, where: string): Omit<NpyHeader, 'dataStart'> {
  let at = 0
  const fail = (expected: string): never => {
    const got = at < text.length ? `'${showText(text.slice(at, at + 24), 24)}'` : 'its end'
    throw new InputError('bad-header', `${where}: the .npy header has ${got} at character ${at}, expected ${expected}`, { at })
  }
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at
    const match = pattern.exec(text)
    if (match) at = pattern.lastIndex
    return match
  }
  const skipSpace = () => take(/[ \t\r\n]*/y)
  const symbol = (character: string): boolean => {
    skipSpace()
    if (text[at] !== character) return false
    at++
    skipSpace()
    return true
  }
  const string = (what: string): string => {
    const match = take(/'([^'"\\\n]*)'|"([^'"\\\n]*)"/y) ?? fail(what)
    return (match[1] ?? match[2]) as string
  }
  const dtype = (): string => {
    if (text[at] === '[' || text[at] === '(') {
      throw new InputError('unsupported-dtype', `${where}: is a structured array, expected one number or string an element; save one field`)
    }
    return string('a dtype in quotes')
  }
  const boolean = (): boolean => (take(/(True|False)\b/y) ?? fail('True or False'))[1] === 'True'
  const tuple = (): number[] => {
    const shape: number[] = []
    if (!symbol('(')) fail('a tuple of dimensions')
    while (!symbol(')')) {
      // Python 2 wrote long integers with an L
      const size = Number((take(/(\d{1,16})L?(?!\w)/y) ?? fail('a whole number ≥ 0 that float64 holds'))[1])
      if (!Number.isSafeInteger(size)) fail('dimensions below 2⁵³')
      if (shape.push(size) > maxDimensions) fail(`at most ${maxDimensions} dimensions`)
      if (symbol(',')) continue
      if (text[at] !== ')' || shape.length === 1) fail("',' or ')'")
    }
    return shape
  }

  const found: { descr?: string; fortran_order?: boolean; shape?: number[] } = {}
  if (!symbol('{')) fail("'{'")
  while (!symbol('}')) {
    const keyAt = at
    const key = string("'descr', 'fortran_order' or 'shape'")
    if (!symbol(':')) fail("':'")
    if (Object.hasOwn(found, key)) {
      at = keyAt
      fail('each key once')
    }
    if (key === 'descr') found.descr = dtype()
    else if (key === 'fortran_order') found.fortran_order = boolean()
    else if (key === 'shape') found.shape = tuple()
    else {
      at = keyAt
      fail("'descr', 'fortran_order' or 'shape'")
    }
    if (!symbol(',') && text[at] !== '}') fail("',' or '}'")
  }
  if (at < text.length) fail('nothing after the closing brace')
  const { descr, fortran_order: fortranOrder, shape } = found
  if (descr === undefined || fortranOrder === undefined || shape === undefined) {
    const missing = ['descr', 'fortran_order', 'shape'].filter((key) => !Object.hasOwn(found, key))
    throw new InputError('bad-header', `${where}: the .npy header lacks ${missing.join(', ')}`, { missing })
  }
  return { descr, fortranOrder, shape }
}
