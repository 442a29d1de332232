import type { ActivationRows } from './activation-rows.js'
import type { ActivationSet } from './activation-set.js'
import { toHex } from './bytes-as-text.js'
import { pause } from './pause.js'
import { readRows, rowsPerRead } from './read-rows.js'

/** A SHA-256 that is fed block by block, as Node's own. */
export interface Sha256 {
  update(bytes: Uint8Array): unknown
  digest(): Uint8Array
}

/** What the platform has of SHA-256. */
export interface HashTools {
  /** Block by block. */
  readonly newSha256?: (() => Sha256) | undefined
  /** Over arrays in memory that stay as they are, beside what the calling thread does. Rejects with the signal's reason when aborted. */
  readonly sha256Beside?: ((parts: readonly Uint8Array[], signal: AbortSignal | undefined) => Promise<Uint8Array>) | undefined
}

export interface HashOptions extends HashTools {
  readonly signal?: AbortSignal | undefined
}

/**
 * SHA-256 (hex) of a set that came as arrays: over the checked activations, then the labels, each as a line `name dtype shape` followed by
 * the little-endian bytes; labels that are not all numbers go as JSON. Two sets with the same activations and labels have the same
 * digest, whatever arrays they came in. Activations are hashed as they are first read to their end, so use the returned set in place of `set`; where they lie
 * in memory, when the digest is asked for, which may be at once, by what the platform does beside the calling thread, or has at all.
 */
export function hashedSet(set: ActivationSet, options: HashOptions = {}): { readonly set: ActivationSet; digest(): Promise<string> } {
  const { activations } = set
  const { newSha256, sha256Beside, signal } = options
  const { rows, cols, inMemory } = activations
  const head = new TextEncoder().encode(`activations float32 ${rows},${cols}\n`)
  let digest: Promise<string> | null = null
  if (inMemory && (sha256Beside || !newSha256)) {
    return {
      set,
      digest() {
        digest ??= (sha256Beside ?? sha256)([head, floatBytes(inMemory.data), ...labelBytes(set)], signal).then(toHex)
        return digest
      },
    }
  }
  let whole: Sha256 | null = null
  const hashed: ActivationRows = {
    rows,
    cols,
    inMemory,
    async *blocks(rowsPerBlock, options) {
      const hash = whole ? null : (newSha256?.() ?? (await sha256InJs()))
      hash?.update(head)
      for await (const block of activations.blocks(rowsPerBlock, options)) {
        hash?.update(floatBytes(block.data))
        yield block
      }
      whole ??= hash
    },
  }
  const finish = async () => {
    if (!whole) for await (const _ of readRows(hashed, { rowsPerBlock: rowsPerRead(cols), signal }));
    const hash = whole as unknown as Sha256
    for (const part of labelBytes(set)) hash.update(part)
    return toHex(hash.digest())
  }
  return {
    set: { ...set, activations: hashed },
    digest() {
      digest ??= finish()
      return digest
    },
  }
}

function labelBytes({ classes, classOf }: ActivationSet): Uint8Array[] {
  const text = new TextEncoder()
  const labels = classes.map(({ label }) => label)
  const numeric = labels.every((label) => typeof label === 'number')
  const head = text.encode(`labels ${numeric ? 'float64' : 'json'} ${classOf.length}\n`)
  if (!numeric) return [head, text.encode(JSON.stringify(Array.from(classOf, (c) => labels[c])))]
  const values = new Float64Array(classOf.length)
  for (let row = 0; row < values.length; row++) values[row] = labels[classOf[row] as number] as number
  return [head, littleEndian(new Uint8Array(values.buffer), 8)]
}

const floatBytes = ({ buffer, byteOffset, byteLength }: Float32Array) => littleEndian(new Uint8Array(buffer, byteOffset, byteLength), 4)

/**
 * The platform's SHA-256 all at once, which takes two copies and less than 2 GiB, and which pages that were not loaded over a secure connection have not. Else
 * one in JavaScript, a few milliseconds at a time.
 */
async function sha256(parts: readonly Uint8Array[], signal: AbortSignal | undefined): Promise<Uint8Array> {
  const byteLength = parts.reduce((sum, part) => sum + part.byteLength, 0)
  const subtle = globalThis.crypto?.subtle as SubtleCrypto | undefined
  if (subtle && byteLength < 2 ** 31) {
    const bytes = new Uint8Array(byteLength)
    let at = 0
    for (const part of parts) {
      bytes.set(part, at)
      at += part.byteLength
    }
    return new Uint8Array(await subtle.digest('SHA-256', bytes))
  }
  const hash: Sha256 = await sha256InJs()
  const block = 2 ** 22
  for (const part of parts) {
    for (let at = 0; at < part.byteLength; at += block) {
      hash.update(part.subarray(at, at + block))
      await pause()
      signal?.throwIfAborted()
    }
  }
  return hash.digest()
}

/** Loaded where the platform has none that will do. */
const sha256InJs = async () => (await import('./sha256-in-js.js')).newSha256InJs()

/** The bytes of an array of `width`-byte numbers in little-endian order: a view where the machine has that order. */
function littleEndian(bytes: Uint8Array, width: number): Uint8Array {
  if (new Uint8Array(new Uint16Array([1]).buffer)[0] === 1) return bytes
  const swapped = bytes.slice()
  for (let at = 0; at < swapped.length; at += width) swapped.subarray(at, at + width).reverse()
  return swapped
}
