import type { HostMatrix } from '../core/backend.js'
import { type Chunk, type Chunks, chunksOf, once } from './chunks.js'
import type { Engine } from './engine.js'
import type { Form, Work } from './form.js'

interface ProjectParams {
  readonly output: 'coordinates' | 'scores'
}

/** Values copied at a time: 128 KiB. */
const valuesAtOnce = 2 ** 15

/** (row − mean of its class) · (directions of its class): rows are centred where they were copied to. */
export const projectForm: Form<ProjectParams> = {
  cut(inputs) {
    const { rows, cols } = inputs[0] as HostMatrix
    return { phases: [chunked(inputs).chunks.length], scratch: 0, operations: rows * cols * (1 + widthOf(inputs)) }
  },
  run: projectChunk,
}

function projectChunk(engine: Engine, { inputs, params, output }: Work<ProjectParams>, _phase: number, piece: number): void {
  const [x, means, directions] = inputs as [HostMatrix, HostMatrix, HostMatrix]
  const { data, cols } = x
  const width = widthOf(inputs)
  const even = width + (width & 1)
  const { class_, start, end } = chunked(inputs).chunks[piece] as Chunk
  const perBlock = Math.max(4, Math.floor(valuesAtOnce / cols / 4) * 4)
  const [stage, mean, v, y] = engine.place(perBlock * cols * 4, cols * 4, even * cols * 4, perBlock * even * 4) as [
    number,
    number,
    number,
    number,
  ]
  engine.put(mean, means.data.subarray(class_ * cols, (class_ + 1) * cols))
  engine.clear(v, even * cols)
  engine.put(v, directions.data.subarray(class_ * width * cols, (class_ + 1) * width * cols))
  for (let row = start; row < end; row += perBlock) {
    const rows = Math.min(perBlock, end - row)
    engine.put(stage, data.subarray(row * cols, (row + rows) * cols))
    engine.wasm.centre(stage, rows, cols, mean)
    engine.wasm.products(stage, Math.ceil(rows / 4) * 4, v, even, cols, y, even)
    const projected = engine.view(y, rows * even)
    if (params.output === 'scores') scoresOf(projected, { width, even }, output.subarray(row, row + rows))
    else if (width === even) output.set(projected, row * width)
    else for (let i = 0; i < rows; i++) output.set(projected.subarray(i * even, i * even + width), (row + i) * width)
  }
}

/** The sums of the squares of the first `width` of every `even` coordinates. */
function scoresOf(
  coordinates: Float32Array,
  { width, even }: { readonly width: number; readonly even: number },
  scores: Float32Array,
): void {
  for (let i = 0; i < scores.length; i++) {
    let score = 0
    for (let at = i * even; at < i * even + width; at++) score += (coordinates[at] as number) ** 2
    scores[i] = score
  }
}

const widthOf = ([, means, directions]: readonly HostMatrix[]) => (directions as HostMatrix).rows / (means as HostMatrix).rows

function chunked([, means, , tiles]: readonly HostMatrix[]): Chunks {
  return once((tiles as HostMatrix).data, 'project', () =>
    chunksOf(tiles as HostMatrix, (means as HostMatrix).rows, { least: 256, most: 4096 }),
  )
}
