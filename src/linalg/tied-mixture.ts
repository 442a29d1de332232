import { choleskyOf, solveLower, solveLowerTransposed } from './cholesky.js'
import { mixtureLoops, type Parameters, type WeightedSums, type WhiteRows, whiteRows } from './mixture-loops.js'
import { dot, moments, ofSide, quadratic, type Rows } from './moments.js'

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
 * neither a factorisation nor a q×q product, only 2·n·q multiply-adds, in one pass over the rows (`mixtureLoops`).
 */
export class TiedMixtureFit {
  readonly rows: number
  readonly cols: number
  readonly #white: WhiteRows
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
    this.#white = whiteRows(ofSide(rows, { side, value, count }), mean, factor)
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
    const { expectAndSum, weightedSums } = mixtureLoops()
    const posterior = this.#padded(start)
    const stepsPerTurn = Math.ceil(rowsPerTurn / this.rows)
    let found = this.#maximise(weightedSums(this.#white, posterior))
    for (let step = 1; step < steps && found; step++) {
      const sums = expectAndSum(this.#white, found, posterior)
      if (sums.moved < tolerance) break
      found = this.#maximise(sums)
      if (step % stepsPerTurn === 0) yield
    }
    return found && this.#evaluate(found)
  }

  /** One M-step from posteriors, and the E-step's log odds and the objective at what it gives. */
  step(posterior: ArrayLike<number>): TiedMixture | null {
    const found = this.#maximise(mixtureLoops().weightedSums(this.#white, this.#padded(posterior)))
    return found && this.#evaluate(found)
  }

  #padded(posterior: ArrayLike<number>): Float64Array {
    const padded = new Float64Array(Math.ceil(this.rows / 4) * 4)
    padded.set(posterior)
    return padded
  }

  #maximise({ weight, sum }: WeightedSums): Parameters | null {
    const n = this.rows
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

  #evaluate(found: Parameters): TiedMixture {
    const { share, delta, beta, kappa } = found
    const n = this.rows
    const { logOdds, sum } = mixtureLoops().evaluate(this.#white, found)
    const fromPrior = this.#priorTrace + (beta * quadratic(this.#prior, delta.subarray(0, this.cols))) / kappa
    const objective = sum + n * Math.log(1 - share) - (n / 2) * Math.log(kappa) - (this.#strength / 2) * (Math.log(kappa) + fromPrior)
    return { logOdds, objective }
  }
}
