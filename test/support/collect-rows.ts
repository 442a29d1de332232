import type { RowBlocksInput } from '../../src/core/activation-rows.js'
import { type ActivationSetInput, toActivationSet } from '../../src/core/activation-set.js'
import { type DenseInput, type NumberArray, toMatrix } from '../../src/core/matrix.js'

type Numbers = Float32Array | Float64Array | Uint16Array

/** All rows of one pass in one array, of the type that the blocks have. Throws where a block is not of whole rows. */
export async function collectRows(input: RowBlocksInput, rowsPerBlock = input.rows): Promise<DenseInput & { readonly blocks: number }> {
  const { rows, cols } = input
  let all: Numbers | null = null
  let filled = 0
  let blocks = 0
  for await (const block of input.blocks(rowsPerBlock) as AsyncIterable<NumberArray>) {
    const own = block as Numbers
    if (own.length === 0 || own.length % cols !== 0) throw new Error(`a block of ${own.length} values, for rows of ${cols}`)
    all ??= new (own.constructor as new (length: number) => Numbers)(rows * cols)
    all.set(own, filled)
    filled += own.length
    blocks++
  }
  if (!all || filled !== rows * cols) throw new Error(`${filled} values for ${rows} × ${cols}`)
  return { data: all, rows, cols, blocks }
}

/** A set that was opened, with its activations in memory: checked, and the values as float32. */
export async function readSet(opening: ActivationSetInput | Promise<ActivationSetInput>) {
  const { origin: _, ...input } = await opening
  if (!('blocks' in input.activations)) throw new Error('the activations are in memory already')
  const activations = await collectRows(input.activations)
  return { set: toActivationSet({ ...input, activations }), values: toMatrix(activations, 'activations').data }
}
