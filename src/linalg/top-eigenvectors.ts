import { largestClass } from '../core/class-order.js'
import type { ClassRange } from '../core/classed-rows.js'
import type { DeviceSet } from '../core/device-set.js'
import { eigenCost } from '../core/eigen-cost.js'
import { DetectorError } from '../core/errors.js'
import { pause } from '../core/pause.js'
import { inTurns } from '../core/turns.js'
import { showText } from '../core/untrusted-text.js'
import { classMeans } from '../kernels/class-means.js'
import { earlyGram, gram, gramFits, gramsPerPass } from '../kernels/gram.js'
import { applyBytesPerClass, applyWidth } from '../kernels/gram-apply.js'
import { project } from '../kernels/project.js'
import { passOverClasses } from './class-eigenpairs.js'
import { gramEigenpairs } from './gram-eigenpairs.js'
import type { Pairs } from './host-eigenpairs.js'
import { copyWithFixedSign } from './symmetric-eigen.js'

/** The leading principal directions of every class, about the class's own mean. */
export interface ClassDirections {
  /** `[classes · k, paddedCols]`, a unit vector a row; zero rows beyond a class's rank. */
  readonly directions: Float32Array
  readonly k: number
  /** `[classes · k]` eigenvalues of the centred XᵀX (squared singular values), falling within a class; 0 beyond its rank. */
  readonly values: Float64Array
  /** Directions of each class, at most k, that carry variance: θ > 1e-6·θ₁. */
  readonly ranks: readonly number[]
}

/** How the directions are found. `auto` counts operations; the others are for tests and benches. */
export type EigenMethod = 'auto' | 'gram' | 'krylov' | 'filter' | 'kernel'

/** Solved for together, since a block iteration finds them anyway and detectors that want 1 and 10 then share one solution. */
const solvedTogether = 10

/**
 * The `k` leading eigenpairs of every class's centred XᵀX (equally: right singular vectors of the centred class), all classes at once.
 * Signs are fixed: the largest entry is positive. `k` is cut to the number of columns. The result is kept with the set.
 *
 * Method: on a GPU (not on a software adapter) an iteration that leaves everything there (`filteredSubspace`), where the set lies on it and
 * the host would take long. On the CPU, where every class lies in one block, a kernel that does it all for the classes at hand; where rows are gathered it projects them too.
 * Else the d×d Gram matrix in one pass over the data and an eigensolver on the host, or block Krylov with one pass per step and no
 * d×d matrix, whichever `gramIsCheaper` counts to be cheaper.
 */
export function topEigenvectors(set: DeviceSet, k: number, method: EigenMethod = 'auto'): Promise<ClassDirections> {
  const wanted = Math.min(k, set.set.activations.cols)
  return set.keep(`top eigenvectors ${wanted} ${method}`, async () => firstOf((await solved(set, k, method)).found, wanted, set.paddedCols))
}

/**
 * The rows along those directions: `coordinates: [n, k]` in class order, about their class's mean, zeros beyond its rank. Where the directions were found with
 * the rows at hand, these were projected then: there is no further pass.
 */
export async function leadingCoordinates(set: DeviceSet, k: number): Promise<ClassDirections & { readonly coordinates: Float32Array }> {
  const found = await topEigenvectors(set, k)
  const known = (await solved(set, k, 'auto')).coordinates
  const { directions } = found
  if (!known) return { ...found, coordinates: await project(set, { centres: await classMeans(set), directions, output: 'coordinates' }) }
  const width = known.length / set.rows
  if (width === found.k) return { ...found, coordinates: known }
  const coordinates = new Float32Array(set.rows * found.k)
  for (let row = 0; row < set.rows; row++) coordinates.set(known.subarray(row * width, row * width + found.k), row * found.k)
  return { ...found, coordinates }
}

/** The sums of the squares of the first k coordinates: `[n]` in class order. */
export async function leadingScores(set: DeviceSet, k: number): Promise<Float32Array> {
  const known = (await solved(set, k, 'auto')).coordinates
  if (!known) {
    const { directions } = await topEigenvectors(set, k)
    return await project(set, { centres: await classMeans(set), directions, output: 'scores' })
  }
  const width = known.length / set.rows
  const count = Math.min(k, set.set.activations.cols)
  const scores = new Float32Array(set.rows)
  for (let row = 0; row < scores.length; row++) {
    let score = 0
    for (let at = row * width; at < row * width + count; at++) score += (known[at] as number) * (known[at] as number)
    scores[row] = score
  }
  return scores
}

/** What the directions will be found from, where every pass reads the rows again. */
export async function earlyDirections(set: DeviceSet): Promise<void> {
  if (gramIsCheaper(set, blockWidth(set, solvedTogether))) await earlyGram(set)
}

interface Solved {
  readonly found: ClassDirections
  /** `[n, directions of a class]` in class order, where the rows were projected too. */
  readonly coordinates: Float32Array | null
}

function solved(set: DeviceSet, k: number, method: EigenMethod): Promise<Solved> {
  const count = Math.min(Math.max(k, solvedTogether), set.set.activations.cols)
  return set.keep(`eigenpairs ${count} ${method}`, () => solve(set, count, method))
}

/** Vectors that are iterated together for k of them. */
const blockWidth = (set: DeviceSet, k: number) => applyWidth * Math.ceil(Math.min(k + 6, set.paddedCols) / applyWidth)

async function solve(set: DeviceSet, k: number, method: EigenMethod): Promise<Solved> {
  const width = blockWidth(set, k)
  if (method === 'filter' || (method === 'auto' && filterIsCheaper(set, width)))
    return { found: gathered(set, await byFilter(set, k), k), coordinates: null }
  const inKernel = set.context.backend.runsForms === true && set.hasWholeClasses
  if (method === 'kernel' || (method === 'auto' && inKernel && kernelIsCheaper(set, width))) return byKernel(set, k, width)
  const useGram = method === 'gram' || (method === 'auto' && gramIsCheaper(set, width))
  if (useGram) return { found: await byGram(set, k, width), coordinates: null }
  const pairs = await (await solvers()).byKrylov(set, { width, wanted: k, start: startBlock(set, width) })
  return { found: gathered(set, pairs, k), coordinates: null }
}

/** The directions that were found for some of the classes so far. */
interface Found extends ClassDirections {
  readonly ranks: number[]
}

const nothingFound = (set: DeviceSet, k: number): Found => ({
  directions: new Float32Array(set.set.classes.length * k * set.paddedCols),
  k,
  values: new Float64Array(set.set.classes.length * k),
  ranks: set.set.classes.map(() => 0),
})

/** Puts down the eigenvalues of a class that carry variance, and says how many those are. */
function putValues(set: DeviceSet, { values: all, k, ranks }: Found, c: number, values: Float64Array): number {
  const rank = rankOf(set, c, values)
  ranks[c] = rank
  all.set(values.subarray(0, rank), c * k)
  return rank
}

/** Puts down the pairs of a class that carry variance. */
function putPairs(set: DeviceSet, found: Found, c: number, { values, vectors }: Pairs): void {
  const { directions, k } = found
  const size = set.paddedCols
  const rank = putValues(set, found, c, values.subarray(0, k))
  for (let i = 0; i < rank; i++) {
    copyWithFixedSign(vectors[i] as Float64Array, directions.subarray((c * k + i) * size, (c * k + i + 1) * size))
  }
}

function gathered(set: DeviceSet, pairs: readonly Pairs[], k: number): ClassDirections {
  const found = nothingFound(set, k)
  for (const [c, own] of pairs.entries()) putPairs(set, found, c, own)
  return found
}

/** The same of what kernels of eigenpairs give for the classes from `first` on, `[classes · k, size + 1]`: a vector and its eigenvalue a row. Gives their directions. */
function unpack(set: DeviceSet, found: Found, given: Float32Array, first: number): Float32Array {
  const { directions, k } = found
  const size = set.paddedCols
  const values = new Float64Array(k)
  const end = first + given.length / (k * (size + 1))
  for (let c = first; c < end; c++) {
    const own = (c - first) * k
    for (let i = 0; i < k; i++) values[i] = given[(own + i) * (size + 1) + size] as number
    const rank = putValues(set, found, c, values)
    for (let i = 0; i < rank; i++) {
      const from = (own + i) * (size + 1)
      copyWithFixedSign(given.subarray(from, from + size), directions.subarray((c * k + i) * size, (c * k + i + 1) * size))
    }
  }
  return directions.subarray(first * k * size, end * k * size)
}

/** The first k directions of each class. */
function firstOf(found: ClassDirections, k: number, size: number): ClassDirections {
  if (k === found.k) return found
  const directions = new Float32Array(found.ranks.length * k * size)
  const values = new Float64Array(found.ranks.length * k)
  const ranks = found.ranks.map((rank, c) => {
    directions.set(found.directions.subarray(c * found.k * size, (c * found.k + k) * size), c * k * size)
    values.set(found.values.subarray(c * found.k, c * found.k + k), c * k)
    return Math.min(rank, k)
  })
  return { directions, k, values, ranks }
}

/** How many of a class's eigenvalues, which fall, carry variance. */
function rankOf(set: DeviceSet, c: number, values: Float64Array): number {
  if (!values.every(Number.isFinite)) throw tooLarge(set, c)
  // Equal rows leave nothing but rounding, which would pass for directions: their rank is 0.
  const largest = set.varies[c] ? Math.max(values[0] ?? 0, 0) : Number.POSITIVE_INFINITY
  const beyond = values.findIndex((value) => !(value > 1e-6 * largest))
  return beyond < 0 ? values.length : beyond
}

function tooLarge(set: DeviceSet, c: number): DetectorError {
  const label = showText(set.set.classes[c]?.label)
  return new DetectorError(
    'overflow',
    `principal directions: class ${label} has values whose squares add up to more than float32 holds (3.4e38); scale all activations down by one factor`,
    { label },
  )
}

/** Loaded where the host solves: pages are to be small. */
const solvers = () => import('./host-eigenpairs.js')

/** Whether all classes together cost less by matrices, each by the one that suits it, than by block Krylov. */
function kernelIsCheaper(set: DeviceSet, width: number): boolean {
  let [byMatrices, byKrylov] = [0, 0]
  for (const { rows } of set.set.classes) {
    const { gram, dual, krylov } = eigenCost(rows, set.paddedCols, width)
    byMatrices += Math.min(gram, dual)
    byKrylov += krylov
  }
  return byMatrices <= byKrylov
}

/**
 * Multiply-adds of both ways, T = 8 applications of A being what block Krylov needs on real activations. Gram: n·d²/2 for the upper
 * triangle, then T·w·d² a class on the host. Krylov: 2·T·w·n·d over the data, then about 8·w²·d·T a class on the host to orthonormalise
 * and combine. The data part of Krylov is weighted by 1.5: the matrix product runs nearer to the hardware's peak. Where the rows are read
 * again at every pass, a pass costs about as much as eight multiply-adds a value: Krylov makes T of them, Gram one for as many classes as
 * the host has memory for.
 */
function gramIsCheaper(set: DeviceSet, width: number): boolean {
  const { rows } = set
  const size = set.paddedCols
  const classes = set.set.classes.length
  if (!gramFits(set)) return false
  const steps = 8
  const reading = set.isReadAgain ? 8 * rows * size : 0
  const gramOperations = (rows * size * size) / 2 + classes * steps * width * size * size
  const krylovOperations = 1.5 * 2 * steps * width * rows * size + classes * steps * 8 * width * width * size
  return gramOperations + Math.ceil(classes / gramsPerPass(set)) * reading <= krylovOperations + steps * reading
}

/** Multiply-adds of the host that take about as long as the few dozen dispatches and reads of a filtered iteration: some 50 ms. */
const worthDispatching = 2 ** 26

/** Whether the iteration on the backend is possible, and saves the host more than it costs. */
function filterIsCheaper(set: DeviceSet, width: number): boolean {
  const { name, inSoftware, maxBindingBytes } = set.context.backend
  const size = set.paddedCols
  if (name !== 'webgpu' || inSoftware || width !== applyWidth || !set.hasWholeClasses) return false
  if (applyBytesPerClass(largestClass(set.set), size) > maxBindingBytes) return false
  return set.set.classes.length * 8 * width * size * Math.min(size, 8 * width) >= worthDispatching
}

async function byFilter(set: DeviceSet, k: number): Promise<Pairs[]> {
  const { filteredSubspace } = await import('./filtered-subspace.js') // for GPUs, so nobody else pays for it
  const problem = { means: await classMeans(set), start: startBlock(set, applyWidth), wanted: k }
  const pairs: Pairs[] = new Array(set.set.classes.length).fill({ values: new Float64Array(0), vectors: [] })
  for await (const block of set.batches((rows) => applyBytesPerClass(rows, set.paddedCols))) {
    const found = await filteredSubspace(set, block, problem)
    found.forEach((own, c) => {
      pairs[block.batch.first + c] = own
    })
  }
  return pairs
}

async function byGram(set: DeviceSet, k: number, width: number): Promise<ClassDirections> {
  const { context } = set
  const { classes } = set.set
  const { signal } = context
  const size = set.paddedCols
  const found = nothingFound(set, k)
  const perPass = gramsPerPass(set)
  for (let first = 0; first < classes.length; first += perPass) {
    const end = Math.min(first + perPass, classes.length)
    const matrices = await gram(set, { first, end })
    if (context.backend.runsForms) {
      const start = Float32Array.from(startBlock(set, width))
      unpack(set, found, await gramEigenpairs(context.backend, matrices, { k, start, cols: size }), first)
      continue
    }
    for (let c = first; c < end; c++) {
      const a = matrices.subarray((c - first) * size * size, (c - first + 1) * size * size)
      const { pairsOf } = await solvers()
      putPairs(set, found, c, await inTurns(pairsOf(a, { size, width, wanted: k, start: startBlock(set, width) }), signal))
      await pause()
      signal?.throwIfAborted()
    }
  }
  return found
}

/** All of it by one kernel: Gram matrices, or those of the rows' inner products, and the eigensolver, on as many threads as there are. */
async function byKernel(set: DeviceSet, k: number, width: number): Promise<Solved> {
  const found = nothingFound(set, k)
  const directionsOf = (own: Float32Array, { first }: ClassRange) => unpack(set, found, own, first)
  const { means, coordinates } = await passOverClasses(set, { k, start: Float32Array.from(startBlock(set, width)), directionsOf })
  await classMeans(set, means)
  return { found, coordinates }
}

/** Seeded Gaussian start, the same for every class and backend: float32 values, so that what is uploaded is what is meant. Zero in the padding, and so are all vectors made of it. */
function startBlock(set: DeviceSet, width: number): Float64Array {
  const rng = set.context.rng.fork('top-eigenvectors')
  const { paddedCols } = set
  const { cols } = set.set.activations
  return Float64Array.from({ length: width * paddedCols }, (_, at) => {
    const value = Math.fround(rng.normal())
    return at % paddedCols < cols ? value : 0
  })
}
