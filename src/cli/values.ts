import { InvalidArgumentError } from 'commander'
import { showText } from '../core/untrusted-text.js'

/** One `--set ID.OPTION=VALUE`. */
export interface Setting {
  readonly detector: string
  readonly option: string
  readonly value: unknown
}

/** Any text but a flag: `--json --quiet` is a forgotten value, not a file of that name. */
export function text(value: string): string {
  if (value === '') throw new InvalidArgumentError('expected a value')
  if (value.startsWith('--'))
    throw new InvalidArgumentError('expected a value, got another flag (write ./ in front of a file of that name)')
  return value
}

/** Texts of an option that takes several: added to those before. */
export function texts(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, text(value)]
}

/** One of a few words. */
export function oneOf<T extends string>(words: readonly T[]): (value: string) => T {
  return (value) => {
    const word = words.find((candidate) => candidate === value)
    if (word === undefined) throw new InvalidArgumentError(`expected one of ${words.join(', ')}`)
    return word
  }
}

/** A whole number in decimal digits, within bounds. */
export function wholeNumber(min: number, max: number): (value: string) => number {
  return (value) => {
    const number = Number(value)
    if (!/^-?\d+$/.test(value) || number < min || number > max) {
      throw new InvalidArgumentError(`expected a whole number from ${min} to ${max}`)
    }
    return number === 0 ? 0 : number
  }
}

const unitBytes: Readonly<Record<string, number>> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 }

/** A number of bytes, at least 1 MiB: `1073741824`, `512M`, `1.5GiB`. K, M, G and T are powers of 1024, with or without B or iB. */
export function byteSize(value: string): number {
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?)(?:([kmgt])i?b?|b)?$/i.exec(value) ?? []
  const bytes = Math.floor(Number(number) * (unitBytes[unit.toLowerCase()] as number))
  if (!Number.isSafeInteger(bytes) || bytes < 2 ** 20) throw new InvalidArgumentError('expected a size of at least 1M, such as 512M or 2G')
  return bytes
}

/** A number above 0 and below 1. */
export function share(value: string): number {
  const number = Number(value)
  if (!/^(\d+\.?\d*|\.\d+)(e-?\d+)?$/i.test(value) || !(number > 0 && number < 1)) {
    throw new InvalidArgumentError('expected a number above 0 and below 1')
  }
  return number
}

/** A number above 0, or from 0, to 1. */
export function shareUpToOne({ zero }: { readonly zero: boolean }): (value: string) => number {
  return (value) => {
    const number = Number(value)
    if (!/^(\d+\.?\d*|\.\d+)(e-?\d+)?$/i.test(value) || number > 1 || (number === 0 && !zero)) {
      throw new InvalidArgumentError(`expected a number ${zero ? 'from 0 to 1' : 'above 0, at most 1'}`)
    }
    return number
  }
}

/** `a,b` → `['a', 'b']`. */
export function detectorList(value: string): readonly string[] {
  const ids = value.split(',').map((id) => id.trim())
  if (ids.includes('')) throw new InvalidArgumentError('expected detector ids with commas between them')
  const twice = ids.find((id, index) => ids.indexOf(id) !== index)
  if (twice !== undefined) throw new InvalidArgumentError(`${showText(twice)} is named twice`)
  return ids
}

/** `ID.OPTION=VALUE`, added to those before it. VALUE is JSON (`3`, `true`, `null`, `[1,2]`) or else a string. */
export function detectorSetting(value: string, before: readonly Setting[] = []): readonly Setting[] {
  const parts = /^([a-z][\w-]*)\.([a-z]\w*)=(.*)$/is.exec(value)
  if (!parts) throw new InvalidArgumentError('expected ID.OPTION=VALUE, such as spectral-signatures.minRows=3')
  const [, detector = '', option = '', raw = ''] = parts
  return [...before, { detector, option, value: jsonOrText(raw) }]
}

/** `OPTION=VALUE`, added to those before it; of two for one option the last holds. VALUE as for a detector's setting. */
export function optionSetting(value: string, before: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> {
  const parts = /^([a-z]\w*)=(.*)$/is.exec(value)
  if (!parts) throw new InvalidArgumentError('expected OPTION=VALUE, such as alpha=0.2')
  const [, option = '', raw = ''] = parts
  return Object.fromEntries([...Object.entries(before).filter(([name]) => name !== option), [option, jsonOrText(raw)]])
}

/** Settings gathered by detector; of two for one option the last holds. */
export function settingsByDetector(settings: readonly Setting[]): Record<string, Record<string, unknown>> {
  const byDetector = new Map<string, Map<string, unknown>>()
  for (const { detector, option, value } of settings) {
    const options = byDetector.get(detector) ?? new Map<string, unknown>()
    byDetector.set(detector, options.set(option, value))
  }
  return Object.fromEntries([...byDetector].map(([detector, options]) => [detector, Object.fromEntries(options)]))
}

function jsonOrText(raw: string): unknown {
  try {
    return JSON.parse(raw)
  } catch {
    return raw
  }
}
