import { isDense, krylovBlocks } from '../core/eigen-cost.js'
import type { Engine } from './engine.js'

const maxCycles = 16

/** A symmetric positive semidefinite matrix, and how much of it is wanted. */
export interface PairsWanted {
  /** `[n, n]` float64, rows of `stride` numbers, at this offset; overwritten. */
  readonly matrix: number
  readonly n: number
  readonly stride: number
  readonly wanted: number
  /** `[width, n or more]` where the iteration starts, and how many numbers its rows are apart. */
  readonly start: ArrayLike<number>
  readonly startStride: number
  readonly width: number
  /** Residuals ‖A·v − θ·v‖ are to be at most this much of θ₁. */
  readonly tolerance: number
}

/** Bytes of room that `leadingPairs` works in. */
export function pairsRoom(engine: Engine, n: number, stride: number, width: number): number {
  const small = krylovBlocks * width
  const { wasm } = engine
  if (isDense(n, width)) return wasm.topPairsRoom(n, stride) + 8 * (n + n * stride)
  return 8 * (2 * small * stride + 4 * width * stride + 3 * small * small + small) + wasm.topPairsRoom(small, small)
}

/**
 * The leading eigenpairs: values (`[wanted]`) and unit vectors (rows of `stride`) as offsets, in the room that begins at `room`. All
 * eigenvalues of a small matrix; else restarted block Krylov with Rayleigh–Ritz, as `linalg/block-krylov.ts` does it.
 */
export function leadingPairs(engine: Engine, of: PairsWanted, room: number): { values: number; vectors: number; count: number } {
  const { n, stride, wanted, width } = of
  if (isDense(n, width)) {
    const count = Math.min(wanted, n)
    const vectors = room + 8 * (n + (n & 1))
    engine.wasm.topPairs(of.matrix, n, stride, count, room, vectors, vectors + 8 * count * stride)
    return { values: room, vectors, count }
  }
  return iterate(engine, of, room)
}

function iterate(engine: Engine, of: PairsWanted, room: number): { values: number; vectors: number; count: number } {
  const { matrix, n, stride, wanted, width, tolerance } = of
  const { wasm } = engine
  const small = krylovBlocks * width
  const rowBytes = 8 * stride
  const basis = room
  const images = basis + small * rowBytes
  const block = images + small * rowBytes
  const ritz = block + width * rowBytes
  const ritzImages = ritz + width * rowBytes
  const projected = ritzImages + 2 * width * rowBytes
  const turned = projected + 8 * small * small
  const coefficients = turned + 8 * small * small
  const values = coefficients + 8 * small * small
  const smallRoom = values + 8 * small
  const first = engine.doubles(block, width * stride).fill(0)
  for (let k = 0; k < width; k++) for (let j = 0; j < n; j++) first[k * stride + j] = of.start[k * of.startStride + j] as number
  let m = 0
  for (let cycle = 0, blocks = 0; ; ) {
    const added = orthonormalise(engine, { basis, m, block, width, stride, coefficients })
    if (added > 0) {
      wasm.doubleProducts(basis + m * rowBytes, added, matrix, n, stride, images + m * rowBytes, stride)
      for (let k = m; k < m + added; k++) engine.doubles(images + k * rowBytes + 8 * n, stride - n).fill(0)
      m += added
      blocks++
      engine.doubles(block, width * stride).fill(0)
      engine.doubles(block, added * stride).set(engine.doubles(images + (m - added) * rowBytes, added * stride))
      if (blocks < krylovBlocks) continue
    }
    // Rayleigh–Ritz: the mean of both halves, since A·q carries rounding and the small problem has to be symmetric.
    const even = m + (m & 1)
    wasm.doubleProducts(basis, m, images, m, stride, projected, even)
    const h = engine.doubles(projected, m * even)
    for (let i = 0; i < m; i++) {
      if (even > m) h[i * even + m] = 0
      for (let j = 0; j < i; j++) {
        const value = ((h[i * even + j] as number) + (h[j * even + i] as number)) / 2
        h[i * even + j] = value
        h[j * even + i] = value
      }
    }
    const count = Math.min(width, m)
    wasm.topPairs(projected, m, even, count, values, turned, smallRoom)
    engine.doubles(ritz, width * stride).fill(0)
    engine.doubles(ritzImages, width * stride).fill(0)
    wasm.combine(turned, count, m, even, basis, stride, ritz, 1)
    wasm.combine(turned, count, m, even, images, stride, ritzImages, 1)
    const theta = engine.doubles(values, count)
    const vectors = engine.doubles(ritz, count * stride)
    const applied = engine.doubles(ritzImages, count * stride)
    const residuals = engine.doubles(block, width * stride).fill(0)
    const limit = tolerance * Math.max(theta[0] as number, 0)
    let converged = true
    for (let k = 0; k < count; k++) {
      let square = 0
      for (let j = k * stride; j < (k + 1) * stride; j++) {
        const residual = (applied[j] as number) - (theta[k] as number) * (vectors[j] as number)
        residuals[j] = residual
        square += residual * residual
      }
      if (k < wanted && !(Math.sqrt(square) <= limit)) converged = false
    }
    if (converged || added === 0 || ++cycle === maxCycles) return { values, vectors: ritz, count: Math.min(wanted, count) }
    engine.doubles(basis, count * stride).set(vectors)
    engine.doubles(images, count * stride).set(applied)
    m = count
    blocks = 1
  }
}

interface Fresh {
  readonly basis: number
  readonly m: number
  readonly block: number
  readonly width: number
  readonly stride: number
  /** Room for `[width, m]`. */
  readonly coefficients: number
}

/** Appends what is new in the block's rows to the basis of `m` orthonormal rows, and says how many rows that were. */
function orthonormalise(engine: Engine, { basis, m, block, width, stride, coefficients }: Fresh): number {
  const { wasm } = engine
  const rowBytes = 8 * stride
  const before = Array.from({ length: width }, (_, k) => wasm.normalise(block + k * rowBytes, stride))
  // Twice is enough (Kahan, Parlett): the second round removes what rounding left of the first.
  for (let round = 0; round < 2 && m > 0; round++) {
    wasm.doubleProducts(block, width, basis, m, stride, coefficients, m)
    wasm.combine(coefficients, width, m, m, basis, stride, block, -1)
  }
  let added = 0
  for (let k = 0; k < width; k++) {
    if (before[k] === 0) continue
    const row = block + k * rowBytes
    for (let round = 0; round < 2 && added > 0; round++) {
      wasm.doubleProducts(row, 1, basis + m * rowBytes, added, stride, coefficients, added)
      wasm.combine(coefficients, 1, added, added, basis + m * rowBytes, stride, row, -1)
    }
    const left = wasm.normalise(row, stride)
    if (!(left > 1e-10)) continue
    engine.doubles(basis + (m + added) * rowBytes, stride).set(engine.doubles(row, stride))
    added++
  }
  return added
}
