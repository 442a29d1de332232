import { multiplyWasm } from './multiply.gen.js'

/** Where a matrix lies in a buffer. */
export interface Panel {
  readonly data: Float32Array
  /** Of its first element; 0 where it is left out. */
  readonly offset?: number
}

export interface Product {
  readonly m: number
  readonly k: number
  readonly n: number
}

/**
 * C += A·B: a `[m, k]`, b `[k, n]`, c `[m, n]`, all in C order. In WebAssembly (src/wasm/multiply.ts, sums in float32) where there is any, else
 * here with sums in float64.
 */
export function multiply(a: Panel, b: Panel, c: Panel, product: Product): void {
  if (!multiplyInWasm(a, b, c, product)) multiplyHere(a, b, c, product)
}

interface Exports {
  readonly memory: WebAssembly.Memory
  readonly multiply: (a: number, b: number, c: number, m: number, k: number, n: number) => void
}

let loaded: Exports | null | undefined

/** null where WebAssembly, its SIMD or compiling in place is not to be had. */
function wasm(): Exports | null {
  if (loaded !== undefined) return loaded
  try {
    const bytes = Uint8Array.from(atob(multiplyWasm), (character) => character.charCodeAt(0))
    const imports = { env: { abort: () => {} } }
    loaded = new WebAssembly.Instance(new WebAssembly.Module(bytes), imports).exports as unknown as Exports
  } catch {
    loaded = null
  }
  return loaded
}

function multiplyInWasm(a: Panel, b: Panel, c: Panel, { m, k, n }: Product): boolean {
  const exports = wasm()
  if (!exports) return false
  // room in multiples of 16 bytes; the first page is the module's own
  const [atA, sizeA, sizeB] = [65_536, (4 * m * k + 15) & ~15, (4 * k * n + 15) & ~15]
  const [atB, atC] = [atA + sizeA, atA + sizeA + sizeB]
  const needed = atC + 4 * m * n
  if (needed > 2 ** 31) return false
  const { memory } = exports
  if (memory.buffer.byteLength < needed) memory.grow(Math.ceil((needed - memory.buffer.byteLength) / 65_536))
  const floats = new Float32Array(memory.buffer)
  const part = ({ data, offset = 0 }: Panel, length: number) => data.subarray(offset, offset + length)
  floats.set(part(a, m * k), atA / 4)
  floats.set(part(b, k * n), atB / 4)
  floats.set(part(c, m * n), atC / 4)
  exports.multiply(atA, atB, atC, m, k, n)
  c.data.set(floats.subarray(atC / 4, atC / 4 + m * n), c.offset ?? 0)
  return true
}

/** The twin in TypeScript. */
export function multiplyHere(a: Panel, b: Panel, c: Panel, { m, k, n }: Product): void {
  const [x, y, z] = [a.data, b.data, c.data]
  const [fromA, fromB, fromC] = [a.offset ?? 0, b.offset ?? 0, c.offset ?? 0]
  const row = new Float64Array(n)
  for (let i = 0; i < m; i++) {
    row.fill(0)
    for (let p = 0, q = fromB; p < k; p++, q += n) {
      const value = x[fromA + i * k + p] as number
      if (value !== 0) for (let j = 0; j < n; j++) row[j] = (row[j] as number) + value * (y[q + j] as number)
    }
    for (let j = 0, at = fromC + i * n; j < n; j++, at++) z[at] = (z[at] as number) + (row[j] as number)
  }
}

/** The transpose of `[rows, cols]`. */
export function transpose(data: Float32Array, rows: number, cols: number): Float32Array {
  const out = new Float32Array(data.length)
  for (let i = 0; i < rows; i++) for (let j = 0; j < cols; j++) out[j * rows + i] = data[i * cols + j] as number
  return out
}
