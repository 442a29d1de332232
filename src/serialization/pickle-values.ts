/** What is known of a value that a pickle builds, without building it. Short strings and numbers are themselves; null is None or nothing known. */
export type Value = string | number | boolean | null | Imported | Called | Tuple | Dict | Bytes | Opaque

/** A global of a module; what it may do was judged where it was imported. */
export interface Imported {
  readonly kind: 'imported'
  readonly module: string
  readonly name: string
}

/** What calling `callee` gives. */
export interface Called {
  readonly kind: 'called'
  readonly callee: Value
  readonly args: Value
}

/** The first items of a tuple. */
export interface Tuple {
  readonly kind: 'tuple'
  readonly items: readonly Value[]
}

/** Some of the entries whose keys are strings; null for none yet, since a file may make millions. */
export interface Dict {
  readonly kind: 'dict'
  entries: Map<string, Value> | null
}

/** A literal in the file, by its place. */
export interface Bytes {
  readonly kind: 'bytes'
  readonly start: number
  readonly end: number
}

/** Something of which no more needs to be known: a list, a set, a long string. */
export interface Opaque {
  readonly kind: 'opaque'
}

export const opaque: Opaque = { kind: 'opaque' }

const keptItems = 16
const keptEntries = 32

export function tupleOf(items: readonly Value[]): Tuple {
  return { kind: 'tuple', items: items.length > keptItems ? items.slice(0, keptItems) : items }
}

export function setEntry(dict: Value | undefined, key: Value | undefined, value: Value | undefined): void {
  if (typeof key !== 'string' || !isKind(dict, 'dict')) return
  dict.entries ??= new Map()
  if (dict.entries.size < keptEntries || dict.entries.has(key)) dict.entries.set(key, value ?? null)
}

type Kinds = Extract<Value, { readonly kind: string }>

export function isKind<K extends Kinds['kind']>(value: Value | undefined, kind: K): value is Extract<Kinds, { readonly kind: K }> {
  return typeof value === 'object' && value !== null && value.kind === kind
}

export function isImported(value: Value | undefined, module: string, name: string): boolean {
  return isKind(value, 'imported') && value.module === module && value.name === name
}
