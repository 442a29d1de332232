/** Krylov blocks before Ritz vectors are taken. */
export const krylovBlocks = 4
/** Up to so many columns for every vector of the block all eigenvalues of a matrix cost less than an iteration, which takes the more steps the flatter they lie. */
const densePerVector = 16
/** A float64 multiply-add of an eigensolver takes as long as so many float32 ones of matrix products: half the lanes, and less reuse. */
const doubleCost = 4
/** Products of a block with XᵀX until ten pairs have converged on real activations. */
const steps = 8
/** gram-apply runs so much further from the hardware's peak than a Gram matrix does. */
const applyCost = 1.5
/** Reading a value once more, four bytes, takes as long as so many multiply-adds: 10 GB/s beside 20 a nanosecond. */
const readCost = 8

/** Whether an n×n problem of which a block of `width` is wanted is solved as a whole. */
export const isDense = (n: number, width: number) => n <= densePerVector * width

/** Float64 multiply-adds of an eigensolver on n×n: 2·n³ for all eigenvalues; or some twelve products with the block and what goes with them. */
function solverOperations(n: number, width: number): number {
  const basis = krylovBlocks * width
  return isDense(n, width) ? 2 * n ** 3 : 12 * width * n * n + 3 * (6 * width * basis * n + 2 * basis ** 3)
}

export interface EigenCost {
  /** By the d×d Gram matrix. */
  readonly gram: number
  /** By the n×n inner products of the rows. */
  readonly dual: number
  /** By block Krylov over the rows: no matrix at all. */
  readonly krylov: number
}

/**
 * What the leading eigenpairs of one class's XᵀX cost in each way, n rows of d columns and a block of `width`, in float32 multiply-adds of
 * matrix products:
 *
 *     Gram    n·d²/2 for the upper triangle          + the solver on d×d                 + one reading of n·d values
 *     dual    n²·d for all inner products of rows    + the solver on n×n + n·d·w back    + one reading
 *     Krylov  1.5·2·8·w·n·d for eight applications   + about 8·w²·d a step on the host   + eight readings
 */
export function eigenCost(rows: number, cols: number, width: number): EigenCost {
  const reading = readCost * rows * cols
  return {
    gram: (rows * cols * cols) / 2 + doubleCost * solverOperations(cols, width) + reading,
    dual: rows * rows * cols + doubleCost * solverOperations(rows, width) + rows * cols * width + reading,
    krylov: steps * (applyCost * 2 * width * rows * cols + doubleCost * 8 * width * width * cols + reading),
  }
}
