import { type Argument, opcodeArguments } from './pickle-opcodes.js'

const newline = 10
/** Of bytes that a search looks at, what costs as much as an opcode. */
export const bytesPerOpcode = 64

/** Opcodes that push what may be a name: STRING UNICODE SHORT_BINSTRING BINSTRING SHORT_BINUNICODE BINUNICODE BINUNICODE8. */
const pushesText: readonly boolean[] = Array.from({ length: 256 }, (_, opcode) => 'SVUT\x8cX\x8d'.includes(String.fromCharCode(opcode)))

/** How far a pickle was looked through. */
export interface Skim {
  /**
   * `nothing`: it ends or breaks off, and imports nothing that chance could not have made; `import`: it may import something; `beyond`: neither
   * before the bytes end.
   */
  readonly found: 'nothing' | 'import' | 'beyond'
  /** Where it goes on, from the first of the bytes. */
  readonly next: number
  /** What may be names, pushed so far. */
  readonly texts: number
  /** What was looked at, in opcodes. */
  readonly cost: number
}

/**
 * Looks for an import in the pickle that begins (or, where `texts` are on its stack, goes on) at `at`: for a small part of what a walk costs, and
 * a walk finds none where this finds nothing. The file goes on for `byteLength` bytes from the first of `bytes`.
 */
export function skimPickle(bytes: Uint8Array, at: number, byteLength: number, textsBefore = 0): Skim {
  let cost = 0
  let texts = textsBefore
  let next = at
  for (; next < bytes.length; cost++) {
    const opcode = bytes[next] as number
    const argument = opcodeArguments[opcode]
    // STOP, or none
    if (argument === undefined || opcode === 0x2e) return { found: 'nothing', next, texts, cost: cost + 1 }
    // STACK_GLOBAL of what may be two names
    if (opcode === 0x93 && texts > 0) return { found: 'import', next, texts, cost }
    const end = argumentEnd(bytes, next + 1, argument)
    if (argument === 'line' || argument === 'two lines') cost += ((end === cut ? bytes.length : end) - next) / bytesPerOpcode
    if (end > byteLength) return { found: 'nothing', next, texts, cost: cost + 1 }
    if (argument === 'two lines' && isNames(bytes, next + 1, end)) return { found: 'import', next, texts, cost }
    if (end === cut) return { found: 'beyond', next, texts, cost: cost + 1 }
    if (pushesText[opcode]) texts++
    next = end
  }
  return { found: 'beyond', next, texts, cost }
}

const cut = -1

/** Where the argument ends that begins at `start`; `cut` where that is not to be seen in these bytes. */
function argumentEnd(bytes: Uint8Array, start: number, argument: Argument): number {
  switch (argument) {
    case 'none':
      return start
    case 'byte':
      return start + 1
    case 'two':
      return start + 2
    case 'four':
      return start + 4
    case 'eight':
      return start + 8
    case 'line':
      return lineEnd(bytes, start)
    case 'two lines': {
      const first = lineEnd(bytes, start)
      return first === cut ? cut : lineEnd(bytes, first)
    }
    default: {
      const lengthBytes = argument === 'counted 1' ? 1 : argument === 'counted 4' ? 4 : 8
      const end = start + lengthBytes
      if (end > bytes.length) return cut
      let length = 0
      for (let at = end - 1; at >= start; at--) length = length * 256 + (bytes[at] as number)
      return end + length
    }
  }
}

/** Behind the line that begins at `start`. */
function lineEnd(bytes: Uint8Array, start: number): number {
  const at = bytes.indexOf(newline, start)
  return at < 0 ? cut : at + 1
}

/** Whether the two lines in the bytes `start` … `end − 1` are a module and something in it. */
function isNames(bytes: Uint8Array, start: number, end: number): boolean {
  if (end === cut) return false
  const second = bytes.indexOf(newline, start) + 1
  return isName(bytes, start, second - 1) && isName(bytes, second, end - 1)
}

/** Whether the bytes `start` … `end − 1` are the name of a module or of something in one. */
function isName(bytes: Uint8Array, start: number, end: number): boolean {
  if (start >= end || isDigit(bytes[start] as number) || bytes[start] === 0x2e) return false
  for (let at = start; at < end; at++) if (!isNameByte(bytes[at] as number)) return false
  return true
}

/** A letter, a digit, an underscore or a dot, in ASCII. */
export function isNameByte(byte: number): boolean {
  const letter = byte | 0x20
  return (letter >= 0x61 && letter <= 0x7a) || isDigit(byte) || byte === 0x5f || byte === 0x2e
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39
}
