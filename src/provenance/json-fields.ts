import { showText } from '../core/untrusted-text.js'
import { Refusal, type RefusalCode } from './refusal.js'
import type { Json, JsonObject } from './strict-json.js'

/** Reads the fields of signed JSON one by one; what is wrong with one is a `Refusal` that names it. */
export interface JsonFields {
  object(value: Json | undefined, where: string): JsonObject
  /** As `object`, where none but these fields may be there. */
  only(value: Json | undefined, where: string, names: readonly string[]): JsonObject
  array(value: Json | undefined, where: string): readonly Json[]
  /** A string that is not empty. */
  text(value: Json | undefined, where: string): string
}

/** `malformed` is the code for a field that is missing or of another type; one that is not known is an `unknown-field`. */
export function jsonFields(malformed: RefusalCode): JsonFields {
  const fail = (where: string, value: Json | undefined, expected: string): never => {
    throw new Refusal(malformed, `${where}: got ${sayJson(value)}, expected ${expected}`)
  }
  const object: JsonFields['object'] = (value, where) =>
    value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as JsonObject) : fail(where, value, 'an object')
  return {
    object,
    only(value, where, names) {
      const found = object(value, where)
      const unknown = Object.keys(found).find((name) => !names.includes(name))
      if (unknown === undefined) return found
      throw new Refusal('unknown-field', `${where}: has the field '${showText(unknown)}', expected none but ${names.join(', ')}`)
    },
    array: (value, where) => (Array.isArray(value) ? (value as readonly Json[]) : fail(where, value, 'a list')),
    text: (value, where) => (typeof value === 'string' && value !== '' ? value : fail(where, value, 'a text that is not empty')),
  }
}

/** A value, for messages. */
export function sayJson(value: Json | undefined): string {
  if (value === undefined) return 'nothing'
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'an object'
  return `'${showText(value)}'`
}
