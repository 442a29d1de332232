import { showText } from '../core/untrusted-text.js'
import type { ByteSource } from '../io/byte-source.js'
import { ByteWindow } from '../io/byte-window.js'
import type { FileScan } from './file-scan.js'
import { judgeTemplate } from './judge-template.js'

export const ggufMagic = [0x47, 0x47, 0x55, 0x46]
/** uint8 int8 uint16 int16 uint32 int32 float32 bool; string and array apart; uint64 int64 float64. */
const valueBytes = [1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8]
const stringType = 8
const arrayType = 9
const maxDepth = 4
const maxTemplateBytes = 2 ** 22
const maxKeyBytes = 65535
const maxDimensions = 4

class GgufError extends Error {
  readonly truncated: boolean

  constructor(truncated: boolean, message: string) {
    super(message)
    this.truncated = truncated
  }
}

/**
 * Scans a GGUF file (versions 1 to 3): its metadata, chat templates above all, and whether the tensors that it lists lie within it. The tensors'
 * bytes are not read.
 */
export async function scanGguf(source: ByteSource, scan: FileScan): Promise<void> {
  const templates: { key: string; text: string; offset: number }[] = []
  try {
    await readGguf(new Cursor(source, scan.signal), (key, text, offset) => templates.push({ key, text, offset }))
  } catch (error) {
    if (!(error instanceof GgufError)) throw error
    scan.findings.add(error.truncated ? 'gguf-truncated' : 'gguf-malformed', source.name, null, `its header is unsound: ${error.message}`)
  }
  for (const { key, text, offset } of templates) {
    for (const { id, says } of judgeTemplate(text)) scan.findings.add(id, source.name, offset, `${says} (${showText(key)})`)
  }
}

async function readGguf(cursor: Cursor, onTemplate: (key: string, text: string, offset: number) => void): Promise<void> {
  cursor.at = 4
  let version = await cursor.uint(4)
  if (version > 0xffff) {
    cursor.littleEndian = false
    version = ((version & 0xff) << 24) | ((version & 0xff00) << 8) | ((version >>> 8) & 0xff00) | (version >>> 24)
  }
  if (version < 1 || version > 3) throw new GgufError(false, `version ${version}, expected 1 to 3`)
  cursor.wide = version === 1 ? 4 : 8
  const tensors = await cursor.count(24)
  const entries = await cursor.count(13)
  let alignment = 32
  const keys = new Set<string>()
  for (let index = 0; index < entries; index++) {
    const key = await cursor.string(maxKeyBytes)
    if (keys.has(key)) throw new GgufError(false, `key '${showText(key)}' is there twice`)
    keys.add(key)
    const type = await cursor.uint(4)
    const offset = cursor.at
    if (type === stringType && /chat_template/.test(key)) onTemplate(key, await cursor.string(maxTemplateBytes), offset)
    else if (key === 'general.alignment' && type === 4) alignment = await cursor.uint(4)
    else await skipValue(cursor, type, 0)
  }
  if (alignment < 1 || alignment > 2 ** 20) throw new GgufError(false, `an alignment of ${alignment} bytes`)
  let farthest = 0
  for (let index = 0; index < tensors; index++) {
    const name = await cursor.string(maxKeyBytes)
    const dimensions = await cursor.uint(4)
    if (dimensions > maxDimensions) throw new GgufError(false, `tensor '${showText(name)}' has ${dimensions} dimensions`)
    let items = 1
    for (let dimension = 0; dimension < dimensions; dimension++) items *= await cursor.uint(cursor.wide)
    if (!Number.isSafeInteger(items)) throw new GgufError(false, `tensor '${showText(name)}' has more items than can be counted`)
    await cursor.uint(4)
    const start = await cursor.uint(8)
    if (start % alignment !== 0)
      throw new GgufError(false, `tensor '${showText(name)}' begins at ${start}, which is not aligned to ${alignment}`)
    farthest = Math.max(farthest, start)
  }
  const dataStart = Math.ceil(cursor.at / alignment) * alignment
  if (tensors > 0 && dataStart + farthest > cursor.byteLength) {
    throw new GgufError(true, `a tensor begins at byte ${dataStart + farthest}, behind the end of the file`)
  }
}

async function skipValue(cursor: Cursor, type: number, depth: number): Promise<void> {
  if (type === stringType) return cursor.skip(await cursor.uint(cursor.wide))
  if (type !== arrayType) {
    const bytes = valueBytes[type]
    if (bytes === undefined) throw new GgufError(false, `a value of type ${type}`)
    return cursor.skip(bytes)
  }
  if (depth === maxDepth) throw new GgufError(false, `arrays within arrays more than ${maxDepth} deep`)
  const inner = await cursor.uint(4)
  const bytes = valueBytes[inner]
  if (bytes === undefined) throw new GgufError(false, `an array of type ${inner}`)
  const count = await cursor.uint(cursor.wide)
  if (bytes > 0) return cursor.skip(bytes * count)
  for (let index = 0; index < count; index++) await skipValue(cursor, inner, depth + 1)
}

class Cursor {
  at = 0
  wide = 8
  littleEndian = true
  readonly byteLength: number
  private readonly window: ByteWindow

  constructor(source: ByteSource, signal?: AbortSignal) {
    this.window = new ByteWindow(source, signal)
    this.byteLength = source.byteLength
  }

  /** A number of 4 or 8 bytes. */
  async uint(bytes: number): Promise<number> {
    await this.need(bytes)
    const from = this.at - this.window.start
    let value = 0
    for (let i = 0; i < bytes; i++) value = value * 256 + (this.window.bytes[this.littleEndian ? from + bytes - 1 - i : from + i] as number)
    this.at += bytes
    return value
  }

  /** A number of things that take at least so many bytes each. */
  async count(least: number): Promise<number> {
    const value = await this.uint(this.wide)
    if (value * least > this.byteLength) throw new GgufError(false, `${value} entries in ${this.byteLength} bytes`)
    return value
  }

  async string(maxBytes: number): Promise<string> {
    const length = await this.uint(this.wide)
    if (length > maxBytes) throw new GgufError(false, `a name or template of ${length} bytes, expected at most ${maxBytes}`)
    await this.need(length)
    const from = this.at - this.window.start
    this.at += length
    return new TextDecoder().decode(this.window.bytes.subarray(from, from + length))
  }

  async skip(bytes: number): Promise<void> {
    if (bytes > this.byteLength - this.at) throw new GgufError(true, `a value of ${bytes} bytes at byte ${this.at} is longer than the file`)
    this.at += bytes
  }

  private async need(bytes: number): Promise<void> {
    if (bytes > this.byteLength - this.at) throw new GgufError(true, `the file ends at byte ${this.byteLength}, within its header`)
    if (!this.window.holds(this.at, bytes)) await this.window.fill(this.at, bytes)
  }
}
