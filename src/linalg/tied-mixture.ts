import { choleskyOf, solveLower, solveLowerTransposed } from './cholesky.js'
import { innerProduct } from './inner-product.js'
import { moments, type Rows } from './moments.js'

/** A fitted mixture of two normal distributions with one covariance. */
export interface TiedMixture {
  /** log posterior odds of the first component, one a row. */
  readonly logOdds: Float64Array
  /** The penalised log likelihood, up to a constant of the rows. */
  readonly objective: number
}

/**
 * Expectation maximisation for two normal distributions with a common covariance Σ, in `rows: [n, q]`, with an inverse-Wishart prior on Σ
 * worth q rows of the identity: the M-step's Σ is (within scatter + q·I)/(n + q), so the penalised likelihood never falls. Float64.
 *
 * With B = (total scatter + q·I)/(n + q), Σ = B − β·δ·δᵀ for δ the difference of the means: in coordinates whitened by B, once, a step needs
 * neither a factorisation nor a q×q product, only 2·n·q multiply-adds.
 */
export class TiedMixtureFit {
  readonly rows: number
  readonly cols: number
  /** Whitened by B, mean 0. */
  readonly #y: Float64Array
  readonly #norms: Float64Array
  /** The prior's scale matrix (the identity) in whitened coordinates: L⁻¹·L⁻ᵀ. */
  readonly #prior: Float64Array
  readonly #priorTrace: number
  readonly #strength: number

  constructor(rows: Rows, side: Uint8Array, value: number) {
    const { count, mean, scatter } = moments(rows, side, value)
    const q = rows.cols
    this.rows = count
    this.cols = q
    this.#strength = q
    const b = scatter.map((s, at) => (s + (at % (q + 1) === 0 ? q : 0)) / (count + q))
    const factor = choleskyOf(b, q)
    this.#y = new Float64Array(count * q)
    this.#norms = new Float64Array(count)
    for (let i = 0, to = 0; i < side.length; i++) {
      if (side[i] !== value) continue
      const y = this.#y.subarray(to * q, (to + 1) * q)
      for (let j = 0; j < q; j++) y[j] = (rows.data[i * q + j] as number) - (mean[j] as number)
      solveLower(factor, q, y)
      for (let j = 0; j < q; j++) this.#norms[to] = (this.#norms[to] as number) + (y[j] as number) ** 2
      to++
    }
    this.#prior = new Float64Array(q * q)
    let trace = 0
    for (let j = 0; j < q; j++) {
      const unit = new Float64Array(q)
      unit[j] = 1
      // Row j of L⁻¹·L⁻ᵀ, a symmetric matrix: L⁻¹ applied to column j of L⁻ᵀ.
      this.#prior.set(solveLower(factor, q, solveLowerTransposed(factor, q, unit)), j * q)
      trace += this.#prior[j * q + j] as number
    }
    this.#priorTrace = trace
  }

  /** At most `steps` steps from the posteriors `start` (0 … 1, one a row); null where a component loses its rows. */
  *run(start: ArrayLike<number>, steps: number, tolerance = 1e-3): Generator<void, TiedMixture | null, void> {
    let posterior = Float64Array.from(start)
    let fitted: TiedMixture | null = null
    for (let step = 0; step < steps; step++) {
      const next = this.step(posterior)
      if (next === null) return null
      fitted = next
      let moved = 0
      const updated = next.logOdds.map((odds, i) => {
        const value = 1 / (1 + Math.exp(-odds))
        moved = Math.max(moved, Math.abs(value - (posterior[i] as number)))
        return value
      })
      posterior = updated
      yield
      if (moved < tolerance) break
    }
    return fitted
  }

  /** One M-step from posteriors, and the E-step's log odds and the objective at what it gives. */
  step(posterior: ArrayLike<number>): TiedMixture | null {
    const n = this.rows
    const q = this.cols
    const y = this.#y
    const sum = new Float64Array(q)
    let weight = 0
    // Two rows at a time: two products for each load and store of a sum.
    for (let i = 0; i < n; i += 2) {
      const g0 = posterior[i] as number
      const g1 = i + 1 < n ? (posterior[i + 1] as number) : 0
      weight += g0 + g1
      if (g0 + g1 < 1e-12) continue
      const next = i + 1 < n ? q : 0
      for (let j = 0, at = i * q; j < q; j++, at++) sum[j] = (sum[j] as number) + g0 * (y[at] as number) + g1 * (y[at + next] as number)
    }
    const share = weight / n
    if (!(weight >= 3 && n - weight >= 3)) return null
    // The rows' mean is 0, so the means are (1 − share)·δ and −share·δ.
    const delta = sum.map((value) => value / (weight * (1 - share)))
    const beta = (n * share * (1 - share)) / (n + this.#strength)
    const length = delta.reduce((s, value) => s + value * value, 0)
    const kappa = 1 - beta * length
    if (!(kappa > 1e-12)) return null
    const priorAlong = this.#alongPrior(delta)
    const offset = Math.log(share / (1 - share)) - ((1 - 2 * share) / 2) * (length / kappa)
    const logOdds = new Float64Array(n)
    let objective = 0
    for (let i = 0; i < n; i++) {
      const t = innerProduct(y, i * q, delta, 0, q)
      const odds = t / kappa + offset
      logOdds[i] = odds
      const fromRest = (this.#norms[i] as number) + 2 * share * t + share * share * length + (beta * (t + share * length) ** 2) / kappa
      objective += -fromRest / 2 + (odds > 0 ? odds + Math.log1p(Math.exp(-odds)) : Math.log1p(Math.exp(odds)))
    }
    objective += n * Math.log(1 - share) - (n / 2) * Math.log(kappa)
    objective -= (this.#strength / 2) * (Math.log(kappa) + this.#priorTrace + (beta * priorAlong) / kappa)
    return { logOdds, objective }
  }

  #alongPrior(delta: Float64Array): number {
    const q = this.cols
    let sum = 0
    for (let i = 0; i < q; i++) {
      for (let j = 0; j < q; j++) sum += (delta[i] as number) * (this.#prior[i * q + j] as number) * (delta[j] as number)
    }
    return sum
  }
}
