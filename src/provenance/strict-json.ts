import { showText } from '../core/untrusted-text.js'
import { Refusal, type RefusalCode } from './refusal.js'

export type Json = null | boolean | number | string | readonly Json[] | JsonObject
export type JsonObject = { readonly [key: string]: Json }

/** A bundle nests eight deep; an attacker's brackets must not exhaust the stack. */
const maxDepth = 32
const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON forbids them in strings
const plain = /[^"\\\u0000-\u001f]*/y
const escaped = /\\(?:["\\/bfnrt]|u[\da-fA-F]{4})/y
const space = /[ \t\r\n]*/y
const words: ReadonlyMap<string, Json> = new Map<string, Json>([
  ['true', true],
  ['false', false],
  ['null', null],
])

/**
 * Parses UTF-8 JSON (RFC 8259) that is signed or carries a signature: a byte order mark, bytes that are not UTF-8, a lone surrogate and
 * a key that an object has twice are refused, where `JSON.parse` would mend or drop them in silence. Objects have no prototype.
 * Throws `Refusal` `json-duplicate-key`, and `malformed` for everything else, with the character where it goes wrong.
 */
export function parseStrictJson(bytes: Uint8Array, where: string, malformed: RefusalCode): Json {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (cause) {
    throw new Refusal(malformed, `${where}: is not valid UTF-8, expected JSON`, {}, cause)
  }
  let at = 0
  const fail = (expected: string): never => {
    const got = at < text.length ? `'${showText(text.slice(at, at + 24), 24)}'` : 'its end'
    throw new Refusal(malformed, `${where}: has ${got} at character ${at}, expected ${expected}`, { at })
  }
  const match = (pattern: RegExp): string | null => {
    pattern.lastIndex = at
    const found = pattern.exec(text)?.[0] ?? null
    if (found !== null) at += found.length
    return found
  }
  const symbol = (character: string): boolean => {
    match(space)
    if (text[at] !== character) return false
    at++
    return true
  }
  const readString = (): string => {
    const start = at
    if (text[at] !== '"') fail('a string')
    at++
    // one expression for the whole would keep a place to go back to for every character, and run out of stack in a long one
    for (match(plain); text[at] !== '"'; match(plain)) if (match(escaped) === null) fail('a string, or the rest of it')
    at++
    const value = JSON.parse(text.slice(start, at)) as string
    if (/\p{Cs}/u.test(value)) {
      at = start
      fail('a string without lone surrogates')
    }
    return value
  }
  const readValue = (depth: number): Json => {
    if (depth > maxDepth) fail(`at most ${maxDepth} levels`)
    match(space)
    if (text[at] === '{') return readObject(depth)
    if (text[at] === '[') return readArray(depth)
    if (text[at] === '"') return readString()
    for (const [word, value] of words) {
      if (text.startsWith(word, at)) {
        at += word.length
        return value
      }
    }
    return Number(match(number) ?? fail('a JSON value'))
  }
  const readArray = (depth: number): Json[] => {
    const values: Json[] = []
    at++
    if (symbol(']')) return values
    do values.push(readValue(depth + 1))
    while (symbol(','))
    if (!symbol(']')) fail("',' or ']'")
    return values
  }
  const readObject = (depth: number): JsonObject => {
    const object: Record<string, Json> = Object.create(null)
    at++
    if (symbol('}')) return object
    do {
      match(space)
      const key = readString()
      if (key in object)
        throw new Refusal('json-duplicate-key', `${where}: has the key '${showText(key)}' twice in one object, expected it once`)
      if (!symbol(':')) fail("':'")
      object[key] = readValue(depth + 1)
    } while (symbol(','))
    if (!symbol('}')) fail("',' or '}'")
    return object
  }
  const value = readValue(0)
  match(space)
  if (at < text.length) fail('its end')
  return value
}
