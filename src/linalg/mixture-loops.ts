import { type DoubleEngine, doubleEngine } from '../core/double-engine.js'
import { atOnce } from '../core/turns.js'
import { exponential } from '../stats/exponential.js'
import { innerProduct } from './inner-product.js'
import type { Rows } from './moments.js'
import { solvedRows } from './triangular.js'

/** Rows whitened and centred, for passes over them four at a time. */
export interface WhiteRows {
  readonly rows: number
  /** `[rows up to a multiple of four, stride]`; stride is a multiple of four. What is no row and no column is zero. */
  readonly y: Float64Array
  readonly stride: number
  /** Squared length of each row, zeros behind. */
  readonly norms: Float64Array
}

/** L⁻¹·(row − mean) of `rows: [n, q]`. */
export function whiteRows({ data, cols }: Rows, mean: Float64Array, factor: Float64Array): WhiteRows {
  const rows = data.length / cols
  const padded = Math.ceil(rows / 4) * 4
  const stride = Math.ceil(cols / 4) * 4
  const y = new Float64Array(padded * stride)
  const norms = new Float64Array(padded)
  norms.set(atOnce(solvedRows({ data, cols }, { mean, factor }, { data: y, stride })))
  doubleEngine()?.keep(y)
  return { rows, y, stride, norms }
}

/** What an M-step gives, in coordinates whitened by B. */
export interface Parameters {
  /** Of the first component. */
  readonly share: number
  /** Difference of the means, `[stride]`, and its squared length. */
  readonly delta: Float64Array
  readonly length: number
  /** Σ = I − β·δ·δᵀ, and its eigenvalue along δ. */
  readonly beta: number
  readonly kappa: number
  /** Log odds of a row at the mean of all. */
  readonly offset: number
}

/** Σ g and Σ g·y over the rows, `[stride]`. */
export interface WeightedSums {
  readonly weight: number
  readonly sum: Float64Array
}

/** What a step costs: passes over the whitened rows. */
interface MixtureLoops {
  weightedSums(white: WhiteRows, posterior: Float64Array): WeightedSums
  /** Writes the posteriors at some parameters over those before; gives how much one of them moved at most, and their sums, in the same pass. */
  expectAndSum(white: WhiteRows, at: Parameters, posterior: Float64Array): WeightedSums & { readonly moved: number }
  /** Log odds of the rows, and the part of the log likelihood that is a sum over them. */
  evaluate(white: WhiteRows, at: Parameters): { readonly logOdds: Float64Array; readonly sum: number }
}

/** In WebAssembly where this thread has it, else in TypeScript: the same bits. */
export const mixtureLoops = (): MixtureLoops => (doubleEngine() ? inWebAssembly : plain)

/** Less weight than this on four rows adds nothing. */
const leastWeight = 1e-12
/** Groups of four rows whose factors, at most 2 each, are multiplied in one number. */
const groupsPerProduct = 512

const scaled = ({ delta, kappa }: Parameters) => delta.map((value) => value / kappa)

/** The terms of a row's log likelihood: −(norm + a·t + b + c·(t + d)²)/2 with t = y·delta. */
function quadraticTerms({ share, beta, length, kappa }: Parameters) {
  return { a: 2 * share, b: share * share * length, c: beta / kappa, d: share * length }
}

const plain: MixtureLoops = {
  weightedSums({ rows, y, stride }, posterior) {
    const sum = new Float64Array(stride)
    let weight = 0
    for (let row = 0; row < rows; row += 4) weight += addWeighted(sum, y, row, posterior)
    return { weight, sum }
  },
  expectAndSum({ rows, y, stride }, at, posterior) {
    const direction = scaled(at)
    const sum = new Float64Array(stride)
    let [weight, moved] = [0, 0]
    for (let row = 0; row < rows; row += 4) {
      for (let i = row; i < Math.min(row + 4, rows); i++) {
        const value = 1 / (1 + exponential(-(innerProduct(y, i * stride, direction, 0, stride) + at.offset)))
        moved = Math.max(moved, Math.abs(value - (posterior[i] as number)))
        posterior[i] = value
      }
      weight += addWeighted(sum, y, row, posterior)
    }
    return { weight, sum, moved }
  },
  evaluate({ rows, y, stride, norms }, at) {
    const { a, b, c, d } = quadraticTerms(at)
    const inverse = 1 / at.kappa
    const logOdds = new Float64Array(rows)
    const sums = new Float64Array(4)
    const products = new Float64Array(4).fill(1)
    let logs = 0
    for (let i = 0; i < rows; i++) {
      const t = innerProduct(y, i * stride, at.delta, 0, stride)
      const odds = t * inverse + at.offset
      logOdds[i] = odds
      const lane = i % 4
      const fromRest = (norms[i] as number) + a * t + b + c * ((t + d) * (t + d))
      sums[lane] = (sums[lane] as number) + (Math.max(odds, 0) - fromRest * 0.5)
      products[lane] = (products[lane] as number) * (1 + exponential(-Math.abs(odds)))
      if ((i + 1) % (4 * groupsPerProduct) !== 0 && i + 1 < rows) continue
      for (const product of products) logs += Math.log(product)
      products.fill(1)
    }
    const [s0, s1, s2, s3] = sums as unknown as [number, number, number, number]
    return { logOdds, sum: s0 + s2 + (s1 + s3) + logs }
  },
}

function addWeighted(sum: Float64Array, y: Float64Array, row: number, posterior: Float64Array): number {
  const stride = sum.length
  const g0 = posterior[row] as number
  const g1 = posterior[row + 1] as number
  const g2 = posterior[row + 2] as number
  const g3 = posterior[row + 3] as number
  const weight = g0 + g1 + (g2 + g3)
  if (weight < leastWeight) return weight
  for (let j = 0, at = row * stride; j < stride; j++, at++) {
    sum[j] =
      (sum[j] as number) +
      (g0 * (y[at] as number) +
        g1 * (y[at + stride] as number) +
        (g2 * (y[at + 2 * stride] as number) + g3 * (y[at + 3 * stride] as number)))
  }
  return weight
}

/** By src/wasm/mixture.ts. */
const inWebAssembly: MixtureLoops = {
  weightedSums({ rows, y, stride }, posterior) {
    const engine = doubleEngine() as DoubleEngine
    const [at, own, to] = engine.enter(y, posterior, stride * 8) as [number, number, number]
    const weight = engine.loops.weightedSums(at, rows, stride, own, to)
    return { weight, sum: engine.take(to, stride) }
  },
  expectAndSum({ rows, y, stride }, parameters, posterior) {
    const engine = doubleEngine() as DoubleEngine
    const [at, direction, own, to, moved] = engine.enter(y, scaled(parameters), posterior, stride * 8, 8) as [
      number,
      number,
      number,
      number,
      number,
    ]
    const weight = engine.loops.expectAndSum(at, rows, stride, direction, parameters.offset, own, to, moved)
    posterior.set(engine.view(own, posterior.length))
    return { weight, sum: engine.take(to, stride), moved: engine.view(moved, 1)[0] as number }
  },
  evaluate({ rows, y, stride, norms }, parameters) {
    const engine = doubleEngine() as DoubleEngine
    const count = 4 * Math.ceil(rows / 4 / groupsPerProduct)
    const [at, delta, own, logOdds, products] = engine.enter(y, parameters.delta, norms, norms.byteLength, count * 8) as [
      number,
      number,
      number,
      number,
      number,
    ]
    const { a, b, c, d } = quadraticTerms(parameters)
    const { kappa, offset } = parameters
    const sum = engine.loops.evaluate(at, rows, stride, delta, 1 / kappa, offset, own, a, b, c, d, logOdds, products)
    let logs = 0
    for (const product of engine.view(products, count)) logs += Math.log(product)
    return { logOdds: engine.take(logOdds, rows), sum: sum + logs }
  },
}
