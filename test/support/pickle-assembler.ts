import { concat } from '../io/make-zip.js'

/** A pickle put together opcode by opcode: text stands for its own bytes (latin1), numbers for one byte each. */
export function pickle(...parts: readonly (string | number | Uint8Array)[]): Uint8Array {
  return concat(parts.map((part) => (typeof part === 'number' ? Uint8Array.of(part) : typeof part === 'string' ? latin1(part) : part)))
}

export function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0))
}

export const proto = (version: number) => pickle(0x80, version)
/** GLOBAL. */
export const global = (module: string, name: string) => pickle(utf8(`c${module}\n${name}\n`))
/** SHORT_BINUNICODE. */
export const text = (value: string) => pickle(0x8c, utf8(value).length, utf8(value))
/** STACK_GLOBAL over two strings. */
export const stackGlobal = (module: string, name: string) => pickle(text(module), text(name), 0x93)
/** A call: REDUCE of a callable with one string. */
export const callWith = (callable: Uint8Array, argument: string) => pickle(callable, text(argument), 0x85, 'R')
export const stop = latin1('.')
/** BINUNICODE8 and the like: a little-endian length of so many bytes. */
export const length = (value: number, bytes: number) => Uint8Array.from({ length: bytes }, (_, i) => Math.floor(value / 256 ** i) % 256)
/** FRAME over what follows. */
export const frame = (bytes: number) => pickle(0x95, length(bytes, 8))

function utf8(value: string): Uint8Array {
  return new TextEncoder().encode(value)
}
