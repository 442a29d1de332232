import type { ByteSource } from '../io/byte-source.js'
import { searchable } from './find-byte.js'
import { judgeImport } from './judge-import.js'
import { opcodeArguments } from './pickle-opcodes.js'
import { type PickleImport, type PickleWalk, walkPickle } from './pickle-walk.js'

const blockBytes = 2 ** 19
const maxFound = 64
/** Beginnings of pickles of protocol 0, which have none of their own: GLOBAL of what has no other use. */
const textBeginnings = ['cos', 'cposix', 'cnt', 'csubprocess', 'c__builtin__', 'cbuiltins', 'csys', 'crunpy', 'cimportlib'].map((text) =>
  Uint8Array.from(text, (character) => character.charCodeAt(0)),
)
const lastLetters = new Set(textBeginnings.map((text) => text[text.length - 1] as number))
const overlap = 16

/** What all that looks like a pickle may come to before the search gives up: numbers end after a few opcodes. */
const maxOpcodes = 2 ** 22
const maxOpcodesEach = 2 ** 18

export interface FoundPickles {
  readonly offsets: readonly number[]
  /** Where the search gave up; null where it saw everything. */
  readonly gaveUpAt: number | null
}

/**
 * Where between `start` and `end` a pickle begins that imports something: after the two bytes of a protocol from 2 to 5, or by the name of a
 * dangerous module. Reads every byte once; nothing is reported that chance could have made.
 */
export async function searchPickles(source: ByteSource, start: number, end: number, signal?: AbortSignal): Promise<FoundPickles> {
  const offsets: number[] = []
  let opcodes = 0
  for (let at = start; at < end; at += blockBytes - overlap) {
    signal?.throwIfAborted()
    const block = await source.slice(at, Math.min(end, at + blockBytes))
    for (const within of candidates(block)) {
      const offset = at + within
      if (offset <= (offsets[offsets.length - 1] ?? -1)) continue
      const walk = await walkPickle(source, offset, signal, maxOpcodesEach)
      opcodes += walk.opcodes
      if (isPickle(walk)) offsets.push(offset)
      if (offsets.length >= maxFound || opcodes > maxOpcodes || walk.ended === 'too-large') return { offsets, gaveUpAt: offset }
    }
    if (at + block.length >= end) break
  }
  return { offsets, gaveUpAt: null }
}

function candidates(block: Uint8Array): number[] {
  const offsets: number[] = []
  const bytes = searchable(block)
  for (let at = bytes.indexOf(0x80); at >= 0; at = bytes.indexOf(0x80, at + 1)) {
    const [protocol = 0, opcode = 0] = [block[at + 1], block[at + 2]]
    if (protocol >= 2 && protocol <= 5 && opcodeArguments[opcode] !== undefined) offsets.push(at)
  }
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) {
    if (!lastLetters.has(block[at - 1] ?? 0)) continue
    const beginning = textBeginnings.find((text) => text.every((byte, index) => block[at - text.length + index] === byte))
    if (beginning) offsets.push(at - beginning.length)
  }
  return offsets.sort((a, b) => a - b)
}

function isPickle({ imports, ended, opcodes }: PickleWalk): boolean {
  const plausible = imports.filter(isPlausible)
  if (plausible.length === 0) return false
  return (ended === 'stop' && opcodes >= 3) || plausible.some(({ module, name }) => judgeImport(module, name) === 'dangerous')
}

/** What chance does not make of text or numbers. */
export function isPlausible({ module, name }: PickleImport): boolean {
  return plausibleName.test(module) && plausibleName.test(name)
}

const plausibleName = /^[A-Za-z_][\w.]*$/
