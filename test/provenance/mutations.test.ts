import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { nodeTrustCheck } from '../../src/provenance/node-trust.js'
import { Refusal } from '../../src/provenance/refusal.js'
import { verifyStatement } from '../../src/provenance/verify-statement.js'
import { fixtures, trustOf } from './made-by-others.js'

// Nothing in a signature file may be other than it is: every field is changed in every way that its kind allows.

type Value = null | string | number | Value[] | { [key: string]: Value }
type Path = readonly (string | number)[]

/** Text fields; every other string is base64. */
const texts = /^(?:mediaType|payloadType|keyid|hint|keyDetails|kind|version|envelope|logIndex|integratedTime|treeSize)$/
/** How many bytes of a field are changed, spread over it; ALL_MUTATIONS=1 changes every one, in minutes. */
const spread = process.env.ALL_MUTATIONS === '1' ? Number.POSITIVE_INFINITY : 24

describe.each(['v1.1.0-elliptic-key', 'v1.0.0-elliptic-key', 'v1.0.0-certificate', 'v1.0.1-sigstore', 'timestamped'])('%s', (folder) => {
  const bytes = readFileSync(join(fixtures, folder, 'model.sig'))
  const original = JSON.parse(bytes.toString()) as Value
  const sampled = spread === Number.POSITIVE_INFINITY ? /^$/ : /\.hashes\.(?:[2-9]|1\d)$/ // one hash of a proof is like another
  const fields = [...leaves(original, [])].filter((path) => !sampled.test(path.join('.')))

  it('holds as it is, and however its JSON is laid out', async () => {
    expect(await outcome(folder, bytes)).toBe('verified')
    expect(await outcome(folder, JSON.stringify(original, null, 4))).toBe('verified')
  })

  it.each(fields.map((path) => [path.join('.'), path] as const))('a change to %s is refused', async (_, path) => {
    const value = at(original, path)
    if (value === null || value === '') return // a keyid that is not there
    for (const changed of changes(String(path.findLast((part) => typeof part === 'string')), String(value))) {
      expect(await outcome(folder, JSON.stringify(withValue(original, path, changed))), `${path.join('.')}: ${changed}`).not.toBe(
        'verified',
      )
    }
  })

  it('a field more is refused, wherever it is put', async () => {
    for (const path of objects(original, [])) {
      const changed = withValue(original, path, { ...(at(original, path) as object), surplus: 1 })
      expect(await outcome(folder, JSON.stringify(changed)), path.join('.')).toBe('unknown-field')
    }
  })

  it('a field less is refused, but for those that may be left out', async () => {
    const optional = /^(?:keyid|verificationMaterial\.tlogEntries|keyDetails)$/
    for (const path of [...fields, ...objects(original, []), ...arrays(original, [])]) {
      if (path.length === 0) continue
      const code = await outcome(folder, JSON.stringify(withValue(original, path, undefined)))
      const name = path.join('.')
      const last = String(path.at(-1))
      const mayGo = optional.test(last) || (optional.test(name) && !folder.includes('sigstore') && folder !== 'timestamped')
      // evidence that is not needed may be taken away: the log alone proves the time
      if (mayGo || /timestampVerificationData(?:\.rfc3161Timestamps)?(?:\.0)?$/.test(name)) continue
      expect(code, name).not.toBe('verified')
    }
  })

  it('a value of another type is refused', async () => {
    for (const path of [...fields, ...objects(original, []), ...arrays(original, [])]) {
      if (['', null].includes(at(original, path) as string | null)) continue
      for (const other of [7, {}, [], true, ['x']] as unknown as Value[]) {
        if (JSON.stringify(other) === JSON.stringify(at(original, path))) continue
        if (
          Array.isArray(other) &&
          other.length === 0 &&
          path.join('.') === 'verificationMaterial.timestampVerificationData.rfc3161Timestamps'
        )
          continue
        if (JSON.stringify(other) === '{}' && path.at(-1) === 'timestampVerificationData') continue
        expect(await outcome(folder, JSON.stringify(withValue(original, path, other))), path.join('.')).not.toBe('verified')
      }
    }
  })

  it('a key that is there twice is refused, even with the same value', async () => {
    const text = JSON.stringify(original)
    for (const [key] of text.matchAll(/"\w+":/g)) {
      expect(await outcome(folder, text.replace(key, `${key}0,${key}`)), key).toBe('json-duplicate-key')
    }
  })

  it('no cut and no byte more of the file passes', async () => {
    const text = bytes.toString().trimEnd()
    for (let length = 0; length < text.length; length += 397) expect(await outcome(folder, text.slice(0, length))).toBe('bundle-malformed')
    for (const more of ['}', ' x', '\0', '\ufeff', '{}']) expect(await outcome(folder, text + more)).toBe('bundle-malformed')
    expect(await outcome(folder, `\ufeff${text}`)).toBe('bundle-malformed')
    expect(await outcome(folder, Buffer.concat([bytes, Buffer.from([0xff])]))).toBe('bundle-malformed')
  })
})

it('parts of one keyless signature do not go with those of another', async () => {
  const [one, other] = ['v1.0.1-sigstore', 'timestamped'].map(
    (folder) => JSON.parse(readFileSync(join(fixtures, folder, 'model.sig'), 'utf8')) as Value,
  )
  const parts = [
    'dsseEnvelope',
    'dsseEnvelope.payload',
    'dsseEnvelope.signatures',
    'verificationMaterial.certificate',
    'verificationMaterial.tlogEntries',
  ]
  for (const name of [...parts, 'verificationMaterial.timestampVerificationData']) {
    const path = name.split('.')
    const mixed = withValue(one as Value, path, at(other as Value, path))
    expect(await outcome('v1.0.1-sigstore', JSON.stringify(mixed)), name).not.toBe('verified')
  }
})

const checks = new Map<string, Awaited<ReturnType<typeof nodeTrustCheck>>>()

/** The code of a refusal, or `verified`. Any other error is a fault of the verifier, and passes. */
async function outcome(folder: string, file: string | Uint8Array): Promise<string> {
  const check = checks.get(folder) ?? (await nodeTrustCheck(trustOf(folder)))
  checks.set(folder, check)
  try {
    await verifyStatement(typeof file === 'string' ? new TextEncoder().encode(file) : file, check)
    return 'verified'
  } catch (error) {
    if (error instanceof Refusal) return error.code
    throw error
  }
}

function* changes(name: string, value: string): Generator<string> {
  if (texts.test(name)) {
    const step = Math.max(1, Math.floor(value.length / spread))
    for (let i = 0; i < value.length; i += step) {
      const code = value.charCodeAt(i)
      yield value.slice(0, i) + String.fromCharCode(code === 0x39 ? 0x38 : code + 1) + value.slice(i + 1)
      yield value.slice(0, i) + value.slice(i + 1)
    }
    yield* [`${value} `, ` ${value}`, `${value}\n`, `0${value}`, `${value}.0`, value.toUpperCase() === value ? '' : value.toUpperCase()]
    return
  }
  const bytes = Buffer.from(value, 'base64')
  const step = Math.max(1, Math.floor(bytes.length / spread))
  for (let i = 0; i < bytes.length; i += step) {
    const changed = Buffer.from(bytes)
    changed[i] = (changed[i] as number) ^ (1 << (i % 8))
    yield changed.toString('base64')
  }
  // the first bytes of DER are lengths: all of their bits
  for (let bit = 0; bit < 8 * Math.min(4, bytes.length); bit++) {
    const changed = Buffer.from(bytes)
    changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7))
    yield changed.toString('base64')
  }
  yield* [bytes.subarray(1), bytes.subarray(0, -1), Buffer.concat([bytes, Buffer.from([0])])].map((changed) => changed.toString('base64'))
  // the same bytes in another spelling
  yield* [
    `${value}\n`,
    ` ${value}`,
    `${value.slice(0, 8)}\n${value.slice(8)}`,
    `${value}=`,
    `${value}====`,
    `${value.slice(0, 4)}-${value.slice(4)}`,
  ]
  if (value.endsWith('=')) {
    yield value.replace(/=+$/, '')
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
    const last = value.search(/.=+$/)
    yield `${value.slice(0, last)}${alphabet[alphabet.indexOf(value[last] as string) + 1]}${value.slice(last + 1)}`
  }
  if (/[+/]/.test(value)) yield value.replaceAll('+', '-').replaceAll('/', '_')
}

function* leaves(value: Value, path: Path): Generator<Path> {
  if (value === null || typeof value !== 'object') yield path
  else for (const [key, inner] of Object.entries(value)) yield* leaves(inner, [...path, Array.isArray(value) ? Number(key) : key])
}

function* objects(value: Value, path: Path): Generator<Path> {
  if (value === null || typeof value !== 'object') return
  if (!Array.isArray(value)) yield path
  for (const [key, inner] of Object.entries(value)) yield* objects(inner, [...path, Array.isArray(value) ? Number(key) : key])
}

function* arrays(value: Value, path: Path): Generator<Path> {
  if (value === null || typeof value !== 'object') return
  if (Array.isArray(value)) yield path
  for (const [key, inner] of Object.entries(value)) yield* arrays(inner, [...path, Array.isArray(value) ? Number(key) : key])
}

function at(value: Value, path: Path): Value {
  return path.reduce<Value>((inner, key) => (inner as Record<string | number, Value>)[key] as Value, value)
}

function withValue(value: Value, path: Path, replacement: Value | undefined): Value {
  const [key, ...rest] = path
  if (key === undefined) return replacement as Value
  if (Array.isArray(value)) {
    const inner = value.map((one, i) => (i === key ? withValue(one, rest, replacement) : one))
    return rest.length === 0 && replacement === undefined ? inner.filter((_, i) => i !== key) : inner
  }
  return { ...(value as object), [key]: withValue((value as Record<string, Value>)[key as string] as Value, rest, replacement) }
}
