import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { InputError, OptionError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import { type FileSource, openFile } from '../io/node-file-source.js'
import { openInputs } from './inputs.js'
import { inputOf } from './model-runner.js'
import { externalFiles } from './node-external-files.js'
import { nodeInputPlace, nodeInputTools } from './node-input-place.js'
import { readOnnx } from './onnx.js'
import type { PixelRange } from './pixel-range.js'
import { defaultPreprocessing, type Preprocessing, rangeOf } from './preprocess.js'
import { parsePreprocessing } from './preprocessor-config.js'

/** preprocessor_config.json beside a model; bytes divided by 255 where there is none. Throws `InputError` and `OptionError` `bad-preprocessing`. */
export async function preprocessingBeside(modelPath: string): Promise<Preprocessing> {
  const path = join(dirname(modelPath), 'preprocessor_config.json')
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch {
    return defaultPreprocessing
  }
  try {
    return parsePreprocessing(JSON.parse(text), showText(path, 300))
  } catch (cause) {
    if (cause instanceof OptionError) throw cause
    throw new InputError('bad-preprocessing', `${showText(path, 300)}: is not JSON; mend it, or pass --preprocess`, {}, cause)
  }
}

export interface CleanInputs {
  /** `[n, inputLength]` */
  readonly inputs: Float32Array
  readonly range: PixelRange
}

/**
 * At most `most` of the pictures at `dataPath`, evenly spaced, as the model at `modelPath` takes them; null for a model that takes no pictures.
 * Throws as `readOnnx` and `openInputs` do.
 */
export async function cleanInputs(modelPath: string, dataPath: string, most: number): Promise<CleanInputs | null> {
  const opened: FileSource[] = []
  const open = async (path: string) => {
    const file = await openFile(path)
    opened.push(file)
    return file
  }
  try {
    const input = inputOf(await readOnnx(await open(modelPath), externalFiles(modelPath, open)))
    if (input.dtype.startsWith('int')) return null
    const preprocess = await preprocessingBeside(modelPath)
    const { rows, read } = await openInputs(
      await nodeInputPlace(dataPath, open),
      { input, preprocess, keepsPictures: false },
      nodeInputTools,
    )
    const count = Math.min(rows, most)
    const length = input.shape.reduce((product, size) => product * size, 1)
    const inputs = new Float32Array(count * length)
    for (let i = 0; i < count; i++) {
      const row = Math.floor((i * rows) / count)
      inputs.set(await read(row, row + 1), i * length)
    }
    return { inputs, range: rangeOf(preprocess) }
  } finally {
    for (const file of opened) await file.close()
  }
}
