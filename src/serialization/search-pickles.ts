import type { ByteSource } from '../io/byte-source.js'
import { readShort } from '../io/byte-window.js'
import { bytePairs, findPairs } from './byte-pairs.js'
import { isDangerousModule } from './dangerous-imports.js'
import { judgeImport } from './judge-import.js'
import { opcodeArguments } from './pickle-opcodes.js'
import { type PickleImport, type PickleWalk, walkPickle } from './pickle-walk.js'
import { bytesPerOpcode, isNameByte, type Skim, skimPickle } from './skim-pickle.js'

const maxFound = 64
/** Of the module in a GLOBAL; the dangerous ones are shorter. */
const maxModule = 60
const protocolOpcode = 0x80
const globalOpcode = 0x63

/** The beginning of a pickle: PROTO with 2 to 5; or the end of a line: a letter (or some signs) and a line feed. */
const pairs = bytePairs([...[2, 3, 4, 5].map((protocol) => [protocolOpcode, protocol] as const), [0x5f, 10]], 0x5f)

/** What all that looks like a pickle may cost, in opcodes, before the search gives up: numbers end after a few. */
const maxCost = 2 ** 20
const costPerByte = 1 / 256
const maxOpcodesEach = 2 ** 18
/** Read where a pickle goes on beyond a block, and what that costs. */
const skimmedBytes = 1024
const readCost = 256

export interface FoundPickles {
  readonly offsets: readonly number[]
  /** Where the search gave up; null where it saw everything. */
  readonly gaveUpAt: number | null
}

/**
 * Where between `start` and `end` a pickle begins that imports something: after the two bytes of a protocol from 2 to 5, or, in protocol 0, by
 * the name of a dangerous module. Reads every byte once; nothing is reported that chance could have made.
 */
export async function searchPickles(source: ByteSource, start: number, end: number, signal?: AbortSignal): Promise<FoundPickles> {
  const offsets: number[] = []
  let cost = 0
  for await (const { bytes, start: from, places } of findPairs(source, { start, end }, pairs, signal)) {
    for (const begins of beginnings(bytes, places)) {
      const offset = from + begins
      let skim = skimPickle(bytes, begins, source.byteLength - from)
      cost += skim.cost
      if (skim.found === 'beyond') {
        skim = await skimOn(source, from + skim.next, skim.texts)
        cost += skim.cost
      }
      if (skim.found === 'import') {
        const walk = await walkPickle(source, offset, signal, maxOpcodesEach)
        cost += walk.opcodes + walk.bytesRead / bytesPerOpcode
        if (importsForCertain(walk, { isBinary: bytes[begins] === protocolOpcode, leastOpcodes: 3 })) offsets.push(offset)
        if (offsets.length >= maxFound || walk.ended === 'too-large') return { offsets, gaveUpAt: offset }
      }
      if (cost > maxCost + (offset - start) * costPerByte) return { offsets, gaveUpAt: offset }
    }
  }
  return { offsets, gaveUpAt: null }
}

/** Where pickles may begin: what chance makes in numbers once in 60,000 bytes. */
function beginnings(bytes: Uint8Array, places: Uint32Array): number[] {
  const found: number[] = []
  for (let index = 0; index < places.length; index++) {
    const place = places[index] as number
    if (bytes[place + 1] === 10) {
      // names of modules have two letters and more
      const begins = isNameByte(bytes[place - 1] ?? 0) ? textBeginning(bytes, place + 1) : -1
      if (begins >= 0) found.push(begins)
    } else if (bytes[place] === protocolOpcode && opcodeArguments[bytes[place + 2] ?? 0] !== undefined) found.push(place)
  }
  return found
}

/** Skims what lies beyond a block, piece by piece: strings are jumped over. */
async function skimOn(source: ByteSource, start: number, textsBefore: number): Promise<Skim> {
  let [at, texts, cost] = [start, textsBefore, 0]
  while (at < source.byteLength) {
    const bytes = await readShort(source, at, at + skimmedBytes)
    const skim = skimPickle(bytes, 0, source.byteLength - at, texts)
    cost += readCost + skim.cost
    if (skim.found !== 'beyond') return { ...skim, cost }
    // a long line, which the walk reads, or the last one
    if (skim.next === 0 && at + bytes.length === source.byteLength) break
    if (skim.next === 0 || cost > maxOpcodesEach) return { ...skim, found: 'import', cost }
    at += skim.next
    texts = skim.texts
  }
  return { found: 'nothing', next: 0, texts, cost }
}

/** Where the GLOBAL of a dangerous module begins whose name ends at this line feed; -1: nowhere. */
function textBeginning(bytes: Uint8Array, lineFeed: number): number {
  const first = Math.max(0, lineFeed - maxModule)
  for (let at = lineFeed - 1; at >= first && isNameByte(bytes[at] as number); at--) {
    if (bytes[at] === globalOpcode && isDangerousModule(String.fromCharCode(...bytes.subarray(at + 1, lineFeed)))) return at
  }
  return -1
}

/**
 * Whether a walk is one of a pickle and not of numbers or text: it is whole and imports something, or imports something dangerous. In a text two
 * words may stand below each other like an import (`cos`, `sine`): there it has to be called too.
 */
export function importsForCertain(walk: PickleWalk, { isBinary, leastOpcodes }: { isBinary: boolean; leastOpcodes: number }): boolean {
  if (walk.ended === 'stop' && walk.opcodes >= leastOpcodes && walk.imports.some(isPlausible)) return true
  return (isBinary ? walk.imports : walk.used).some((found) => isPlausible(found) && judgeImport(found.module, found.name) === 'dangerous')
}

/** What chance does not make of text or numbers. */
export function isPlausible({ module, name }: PickleImport): boolean {
  return plausibleName.test(module) && plausibleName.test(name)
}

const plausibleName = /^[A-Za-z_][\w.]*$/
