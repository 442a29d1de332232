import type { Chunk, Chunks } from './chunks.js'
import type { Engine } from './engine.js'
import type { Work } from './form.js'

/** Results of `size` float32 numbers a chunk (a multiple of four), where classes of more than one chunk have to be added up. */
export interface AddUp {
  readonly chunks: Chunks
  readonly size: number
  /** Which place of the output each class has; its own number unless told. */
  readonly placeOfClass?: readonly number[]
}

const placeOfClass = (sums: AddUp, c: number) => sums.placeOfClass?.[c] ?? c

/** Numbers that a piece adds up. */
const perPiece = 2 ** 16

/** Pieces of the second phase. */
export function addUpPieces({ chunks, size }: AddUp): number {
  return chunks.split.length * Math.ceil(size / perPiece)
}

/** Where a chunk's result goes: to its class's place in the output, or to its slot in the scratch. */
export function placeOf({ output, scratch }: Work<unknown>, sums: AddUp, piece: number): Float32Array {
  const { chunks, size } = sums
  const slot = chunks.slot[piece] as number
  const [array, at] = slot < 0 ? [output, placeOfClass(sums, (chunks.chunks[piece] as Chunk).class_)] : [scratch, slot]
  return array.subarray(at * size, (at + 1) * size)
}

/** Adds up chunks that lie in the scratch one after the other, in order and in float64, to the class's place in the output. */
export function addUp(engine: Engine, { output, scratch }: Work<unknown>, sums: AddUp, piece: number): void {
  const { chunks, size } = sums
  const strips = Math.ceil(size / perPiece)
  const c = chunks.split[Math.floor(piece / strips)] as number
  const from = (piece % strips) * perPiece
  const count = Math.min(perPiece, size - from)
  const [part, totals] = engine.place(count * 4, count * 8) as [number, number]
  engine.clear(totals, count * 2)
  for (let chunk = chunks.first[c] as number; chunk < (chunks.first[c + 1] as number); chunk++) {
    const at = (chunks.slot[chunk] as number) * size + from
    engine.put(part, scratch.subarray(at, at + count))
    engine.wasm.addColumns(part, 1, count, totals)
  }
  engine.wasm.toSingles(totals, count, part)
  output.set(engine.view(part, count), placeOfClass(sums, c) * size + from)
}
