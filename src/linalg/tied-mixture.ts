import { choleskyOf, solveLower, solveLowerTransposed } from './cholesky.js'
import { innerProduct } from './inner-product.js'
import { dot, moments, quadratic, type Rows } from './moments.js'

/** Rows between two yields of a step: about a millisecond. */
const rowsPerTurn = 2 ** 15

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
    const posterior = Float64Array.from(start)
    const stepsPerTurn = Math.ceil(rowsPerTurn / this.rows)
    let found: Parameters | null = null
    for (let step = 0; step < steps; step++) {
      found = this.#maximise(posterior)
      if (!found) return null
      if (this.#expect(found, posterior) < tolerance) break
      if ((step + 1) % stepsPerTurn === 0) yield
    }
    return found && this.#evaluate(found)
  }

  /** One M-step from posteriors, and the E-step's log odds and the objective at what it gives. */
  step(posterior: ArrayLike<number>): TiedMixture | null {
    const found = this.#maximise(posterior)
    return found && this.#evaluate(found)
  }

  #maximise(posterior: ArrayLike<number>): Parameters | null {
    const n = this.rows
    const q = this.cols
    const y = this.#y
    const sum = new Float64Array(q)
    let weight = 0
    // Four rows at a time: four products for each load and store of a sum.
    let i = 0
    for (; i + 3 < n; i += 4) {
      const g0 = posterior[i] as number
      const g1 = posterior[i + 1] as number
      const g2 = posterior[i + 2] as number
      const g3 = posterior[i + 3] as number
      weight += g0 + g1 + (g2 + g3)
      if (g0 + g1 + (g2 + g3) < 1e-12) continue
      for (let j = 0, at = i * q; j < q; j++, at++) {
        sum[j] =
          (sum[j] as number) +
          (g0 * (y[at] as number) + g1 * (y[at + q] as number) + (g2 * (y[at + 2 * q] as number) + g3 * (y[at + 3 * q] as number)))
      }
    }
    for (; i < n; i++) {
      const g = posterior[i] as number
      weight += g
      for (let j = 0, at = i * q; j < q; j++, at++) sum[j] = (sum[j] as number) + g * (y[at] as number)
    }
    const share = weight / n
    if (!(weight >= 3 && n - weight >= 3)) return null
    // The rows' mean is 0, so the means are (1 − share)·δ and −share·δ.
    const delta = sum.map((value) => value / (weight * (1 - share)))
    const beta = (n * share * (1 - share)) / (n + this.#strength)
    const length = dot(delta, delta)
    const kappa = 1 - beta * length
    if (!(kappa > 1e-12)) return null
    const offset = Math.log(share / (1 - share)) - ((1 - 2 * share) / 2) * (length / kappa)
    return { share, delta, beta, length, kappa, offset }
  }

  /** Writes the posteriors at some parameters over those before; returns how much one of them moved at most. */
  #expect({ delta, kappa, offset }: Parameters, posterior: Float64Array): number {
    let moved = 0
    for (let i = 0, q = this.cols; i < posterior.length; i++) {
      const value = 1 / (1 + Math.exp(-(innerProduct(this.#y, i * q, delta, 0, q) / kappa + offset)))
      moved = Math.max(moved, Math.abs(value - (posterior[i] as number)))
      posterior[i] = value
    }
    return moved
  }

  #evaluate({ share, delta, beta, length, kappa, offset }: Parameters): TiedMixture {
    const n = this.rows
    const q = this.cols
    const logOdds = new Float64Array(n)
    let objective = 0
    for (let i = 0; i < n; i++) {
      const t = innerProduct(this.#y, i * q, delta, 0, q)
      const odds = t / kappa + offset
      logOdds[i] = odds
      const fromRest = (this.#norms[i] as number) + 2 * share * t + share * share * length + (beta * (t + share * length) ** 2) / kappa
      objective += -fromRest / 2 + (odds > 0 ? odds + Math.log1p(Math.exp(-odds)) : Math.log1p(Math.exp(odds)))
    }
    objective += n * Math.log(1 - share) - (n / 2) * Math.log(kappa)
    objective -= (this.#strength / 2) * (Math.log(kappa) + this.#priorTrace + (beta * quadratic(this.#prior, delta)) / kappa)
    return { logOdds, objective }
  }
}

/** What an M-step gives, in coordinates whitened by B. */
interface Parameters {
  /** Of the first component. */
  readonly share: number
  /** Difference of the means, and its squared length. */
  readonly delta: Float64Array
  readonly length: number
  /** Σ = I − β·δ·δᵀ, and its eigenvalue along δ. */
  readonly beta: number
  readonly kappa: number
  /** Log odds of a row at the mean of all. */
  readonly offset: number
}
