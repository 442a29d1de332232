import type { ByteSource } from '../io/byte-source.js'
import { readShort } from '../io/byte-window.js'
import { bytePairs, findPairs } from './byte-pairs.js'
import type { FileScan } from './file-scan.js'
import { judgeKeras, judgeKerasText } from './judge-keras.js'

export const hdf5Magic = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a]
const maxConfigBytes = 2 ** 25
/** In the middle of `class_name`, and at the beginning of `\u00`. */
const pairs = bytePairs([
  [0x5f, 0x6e],
  [0x5c, 0x75],
])
const className = latin1Bytes('class_name')
const classPair = 5
const unicodeEscape = latin1Bytes('\\u00')

/**
 * Scans what may hold the JSON of a Keras model somewhere in its bytes: HDF5 keeps attributes in one piece and uncompressed, TensorFlow's
 * metadata too. So every byte is read once, and every text around a `class_name`, or around a letter written as `\u00XX`, is judged.
 */
export async function scanEmbeddedKeras(source: ByteSource, scan: FileScan): Promise<void> {
  let judgedUntil = 0
  for await (const { bytes, start, places } of findPairs(source, { start: 0, end: source.byteLength }, pairs, scan.signal)) {
    for (const place of places) {
      const isSign = isAt(bytes, place - classPair, className) || isAt(bytes, place, unicodeEscape)
      if (isSign && start + place >= judgedUntil) judgedUntil = await judgeAround(source, start + place, scan)
    }
  }
}

function isAt(bytes: Uint8Array, at: number, sign: Uint8Array): boolean {
  return sign.every((byte, index) => bytes[at + index] === byte)
}

function latin1Bytes(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0))
}

/** Judges the text around a place, and returns where it ends. */
async function judgeAround(source: ByteSource, place: number, scan: FileScan): Promise<number> {
  const start = await endOfText(source, place, -1)
  const end = await endOfText(source, place, 1)
  const text = new TextDecoder().decode(await readShort(source, start, end))
  const from = text.indexOf('{')
  if (from >= 0 || /class_name/.test(text)) {
    let found = judgeKerasText(text)
    try {
      found = judgeKeras(JSON.parse(text.slice(Math.max(0, from), text.lastIndexOf('}') + 1)))
    } catch {
      // Bytes of a length may stand in front, and look like text.
      found = [...found, ...judgeLater(text)]
      if (found.length === 0 && /"class_name"\s*:/.test(text)) {
        scan.findings.add('keras-malformed', source.name, start, 'the configuration of the model is not JSON')
      }
    }
    for (const { id, says } of found) scan.findings.add(id, source.name, place, says)
  }
  return end
}

function judgeLater(text: string): ReturnType<typeof judgeKeras> {
  const from = text.search(/\{\s*"/)
  try {
    return from < 0 ? [] : judgeKeras(JSON.parse(text.slice(from, text.lastIndexOf('}') + 1)))
  } catch {
    return []
  }
}

/** Where the text around a place begins or ends: at a control character, or after as much as is looked at. */
async function endOfText(source: ByteSource, place: number, step: 1 | -1): Promise<number> {
  const bytes = 2 ** 16
  for (let at = place; Math.abs(at - place) < maxConfigBytes; ) {
    const [from, to] = step > 0 ? [at, Math.min(source.byteLength, at + bytes)] : [Math.max(0, at - bytes), at]
    const block = await readShort(source, from, to)
    for (let i = step > 0 ? 0 : block.length - 1; i >= 0 && i < block.length; i += step) {
      const byte = block[i] as number
      if ((byte < 0x20 && byte !== 9 && byte !== 10 && byte !== 13) || byte === 0x7f) return step > 0 ? from + i : from + i + 1
    }
    if (step > 0 ? to === source.byteLength : from === 0) return step > 0 ? to : from
    at = step > 0 ? to : from
  }
  return place + step * maxConfigBytes
}
