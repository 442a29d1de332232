import { outlierPValues } from './class-outliers.js'
import { transpose } from './network/multiply.js'
import type { Weights } from './weights.js'

/** How the strength of one layer's weights is spread over its directions. */
export interface LayerStatistics {
  readonly name: string
  readonly shape: readonly number[]
  /** The largest singular value of the weights as a matrix with a row for each output. */
  readonly spectralNorm: number
  /** ‖W‖²_F / ‖W‖²₂, from 1 (one direction is all) to the matrix's rank. */
  readonly stableRank: number
  /** Of the entries: 0 for a normal distribution, large where a few weights stick out. */
  readonly excessKurtosis: number
}

/** Elements of a layer whose spectrum is taken. */
const maxElements = 2 ** 24
const iterations = 30

/** Spectral statistics of every layer that is a matrix or a convolution of at most 16.8 million weights. Power iteration on WᵀW, float64. */
export async function layerStatistics(layers: readonly Weights[], signal?: AbortSignal): Promise<LayerStatistics[]> {
  const found: LayerStatistics[] = []
  for (const layer of layers) {
    signal?.throwIfAborted()
    const elements = layer.shape.reduce((product, size) => product * size, 1)
    if (layer.shape.length < 2 || elements === 0 || elements > maxElements) continue
    const { data, rows, cols } = await asMatrix(layer)
    const squares = data.reduce((sum, value) => sum + value * value, 0)
    const spectralNorm = largestSingularValue(data, rows, cols)
    const mean = data.reduce((sum, value) => sum + value, 0) / elements
    const variance = data.reduce((sum, value) => sum + (value - mean) ** 2, 0) / elements
    const fourth = data.reduce((sum, value) => sum + (value - mean) ** 4, 0) / elements
    found.push({
      name: layer.name,
      shape: layer.shape,
      spectralNorm,
      stableRank: spectralNorm > 0 ? squares / spectralNorm ** 2 : 0,
      excessKurtosis: variance > 0 ? fourth / variance ** 2 - 3 : 0,
    })
  }
  return found
}

/** A row for each output. */
async function asMatrix({ shape, inputRows, read }: Weights): Promise<{ data: Float32Array; rows: number; cols: number }> {
  const data = await read()
  const rows = shape[0] as number
  const cols = data.length / rows
  return inputRows ? { data: transpose(data, rows, cols), rows: cols, cols: rows } : { data, rows, cols }
}

function largestSingularValue(data: Float32Array, rows: number, cols: number): number {
  let v = Float64Array.from({ length: cols }, (_, index) => 1 + 0.1 * Math.cos(index)) // no direction that a layer has by design
  let norm = 0
  for (let iteration = 0; iteration < iterations; iteration++) {
    const length = Math.hypot(...chunkNorms(v))
    if (length === 0) return 0
    const next = new Float64Array(cols)
    let squares = 0
    for (let row = 0, at = 0; row < rows; row++) {
      let product = 0
      for (let col = 0; col < cols; col++) product += (data[at + col] as number) * (v[col] as number)
      product /= length
      squares += product * product
      for (let col = 0; col < cols; col++, at++) next[col] = (next[col] as number) + product * (data[at] as number)
    }
    norm = Math.sqrt(squares)
    v = next
  }
  return norm
}

/** Math.hypot takes its numbers as arguments, of which there may be too many. */
function chunkNorms(v: Float64Array): number[] {
  const norms: number[] = []
  for (let start = 0; start < v.length; start += 1000) norms.push(Math.hypot(...v.subarray(start, start + 1000)))
  return norms
}

/** What the last layer says about each class. */
export interface FinalLayer {
  readonly name: string
  readonly classes: number
  /** Mean weight of each class's row; a class that a backdoor leads to tends to stick out (Fields et al. 2021). */
  readonly means: Float64Array
  readonly pValues: readonly (number | null)[]
}

/** The last matrix among `layers`, as the layer that gives a logit to each class; null where there is none with 2 to 100,000 rows. */
export async function finalLayer(layers: readonly Weights[]): Promise<FinalLayer | null> {
  const last = layers.findLast(({ shape }) => shape.length === 2)
  if (!last) return null
  const { data, rows, cols } = await asMatrix(last)
  if (rows < 2 || rows > 100_000) return null
  const means = Float64Array.from(
    { length: rows },
    (_, row) => data.subarray(row * cols, (row + 1) * cols).reduce((a, b) => a + b, 0) / cols,
  )
  return { name: last.name, classes: rows, means, pValues: outlierPValues(means) }
}
