import { audit } from '../../src/index.js'
import { extractSet, parsePreprocessing } from '../../src/model/index.js'

// What a page makes of a model and a folder of pictures. Bundled, and run in a browser by model.test.ts; the same runs in Node there.

declare const tell: (value: unknown) => Promise<void>
declare const finish: () => Promise<void>

/** Base64 by path; `model.onnx`, and the pictures below `data/`. */
type Given = Readonly<Record<string, string>>

const bytesOf = (base64: string) => Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))

export async function run(given: Given, config: unknown): Promise<void> {
  const bytes = bytesOf(given['model.onnx'] as string)
  const model = { name: 'model.onnx', byteLength: bytes.length, slice: async (start: number, end: number) => bytes.subarray(start, end) }
  const files = Object.entries(given)
    .filter(([path]) => path.startsWith('data/'))
    .map(([path, base64]) => ({ path: path.slice('data/'.length), file: new Blob([bytesOf(base64)]) }))
  const preprocess = parsePreprocessing(config, 'config')
  const told = async (name: string, options: object) => {
    try {
      const set = await extractSet(model, files, { preprocess, batch: 3, ...options })
      const { activations, logits, predictions, labels, classNames, record } = set
      await tell({
        name,
        cols: activations.cols,
        inMemory: 'data' in activations,
        activations: await valuesOf(activations),
        logits: [...logits.data],
        predictions: [...predictions],
        labels: Array.from((labels ?? []) as ArrayLike<number>),
        classNames,
        record,
      })
      const report = await audit({ activations, labels: labels ?? [] }, { backend: 'cpu' })
      await tell({ name: `audit of ${name}`, verdict: report.verdict, rows: report.input.rows })
      if (!('data' in activations)) {
        activations[Symbol.dispose]()
        const afterwards = await valuesOf(activations).catch((error: Error) => `${error.name}: ${error.message}`)
        await tell({ name: 'disposed', error: null, afterwards })
      }
    } catch (error) {
      await tell({ name, error: String((error as Error).stack ?? error) })
    }
  }
  await told('assay', { runtime: 'assay' })
  await told('onnxruntime', { runtime: 'onnxruntime' })
  const device = await (await navigator.gpu?.requestAdapter())?.requestDevice()
  if (device) await told('device', { device })
  await finish()
}

/** Two rows at a time where they lie on a device. */
async function valuesOf(activations: Awaited<ReturnType<typeof extractSet>>['activations']): Promise<number[]> {
  if ('data' in activations) return [...activations.data]
  const values: number[] = []
  for await (const block of activations.blocks(2)) values.push(...block)
  return values
}
