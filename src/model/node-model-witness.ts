import { createHash } from 'node:crypto'
import { showText } from '../core/untrusted-text.js'
import type { Witness } from '../core/witness.js'
import { readBytes } from '../io/byte-source.js'
import { wholeSource } from '../io/chunks.js'
import { openFile } from '../io/node-file-source.js'
import { openClassifier } from './classifier.js'
import { modelWitness } from './model-witness.js'
import { preprocessingBeside } from './node-inputs.js'
import { readOnnx } from './onnx.js'
import type { Preprocessing } from './preprocess.js'

/** The ONNX model at `modelPath` as a witness for an audit of the set it was trained on (`modelWitness`). Nothing is read before it is asked. */
export function modelFileWitness(modelPath: string, { preprocess }: { readonly preprocess?: Preprocessing | undefined } = {}): Witness {
  return modelWitness(async () => {
    const source = await openFile(modelPath)
    const where = showText(modelPath, 300)
    try {
      const hash = createHash('sha256')
      for await (const chunk of wholeSource(source, where).read()) hash.update(chunk)
      return {
        classifier: await openClassifier(await readOnnx(source), () => readBytes(source, 0, source.byteLength, where)),
        preprocess: preprocess ?? (await preprocessingBeside(modelPath)),
        sha256: hash.digest('hex'),
      }
    } finally {
      await source.close()
    }
  })
}
