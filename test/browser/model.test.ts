import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { build } from 'esbuild'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { encodePng } from '../../src/exhibits/png.js'
import { memorySource } from '../../src/io/byte-source.js'
import { readNpy } from '../../src/io/npy.js'
import type { ExtractionRecord } from '../../src/model/extraction.js'
import { extract } from '../../src/model/node-index.js'
import { parsePreprocessing } from '../../src/model/preprocessor-config.js'
import { chromium, type ServedFile, type Visited, visit } from '../support/chromium.js'
import { writeOnnx } from '../support/onnx-writer.js'

// A model and a folder of pictures in a browser, by all that can run it there, against the same in Node.
const root = join(import.meta.dirname, '../..')
const limitMs = 240_000
const config = { size: { height: 4, width: 4 }, resample: 3, image_mean: [0.5], image_std: [0.25] }
const scratch = mkdtempSync(join(tmpdir(), 'assay-browser-model-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

const numbers = (length: number, step: number) => Float32Array.from({ length }, (_, i) => (((i * step) % 17) - 8) / 16)
const model = writeOnnx({
  inputShape: [3, 4, 4],
  nodes: [
    { op: 'Conv', inputs: ['input', 'k'], output: 'c', attributes: { kernel_shape: [3, 3], pads: [1, 1, 1, 1] } },
    { op: 'Relu', inputs: ['c'], output: 'r' },
    { op: 'Flatten', inputs: ['r'], output: 'f' },
    { op: 'Gemm', inputs: ['f', 'w'], output: 'h', attributes: { transB: 1 } },
    { op: 'Relu', inputs: ['h'], output: 'a' },
    { op: 'Gemm', inputs: ['a', 'v'], output: 'logits', attributes: { transB: 1 } },
  ],
  weights: {
    k: { shape: [4, 3, 3, 3], data: numbers(108, 5) },
    w: { shape: [6, 64], data: numbers(384, 7) },
    v: { shape: [2, 6], data: numbers(12, 3) },
  },
})

async function pictures(): Promise<Record<string, Uint8Array>> {
  const goldens = JSON.parse(readFileSync(join(root, 'test/fixtures/pictures/pictures.json'), 'utf8')) as { name: string; file: string }[]
  const golden = (name: string) => new Uint8Array(Buffer.from(goldens.find((one) => one.name === name)?.file ?? '', 'base64'))
  const png = (seed: number) =>
    encodePng({ width: 6, height: 5, channels: 3, data: Uint8Array.from({ length: 90 }, (_, i) => (i * seed) % 256) })
  return {
    'cat/a.jpg': golden('jpeg-420'),
    'cat/b.png': await png(7),
    'dog/a.webp': golden('webp-lossy'),
    'dog/b.png': await png(13),
    'dog/c.bmp': golden('bmp-24'),
  }
}

interface Told {
  readonly name: string
  readonly error?: string
  readonly cols: number
  readonly activations: readonly number[]
  readonly logits: readonly number[]
  readonly predictions: readonly number[]
  readonly labels: readonly number[]
  readonly classNames: readonly string[]
  readonly record: ExtractionRecord
  readonly inMemory: boolean
  readonly verdict?: string
  readonly rows?: number
  readonly afterwards?: unknown
}

describe.skipIf(chromium.path === null && process.env.REQUIRE_BROWSER !== '1')('a model in a browser', () => {
  let visited: Visited
  let inNode: Record<string, ArrayLike<number>>
  let record: ExtractionRecord

  beforeAll(async () => {
    const files = await pictures()
    for (const [path, bytes] of Object.entries({
      'model.onnx': model,
      ...Object.fromEntries(Object.entries(files).map(([path, bytes]) => [`data/${path}`, bytes])),
    })) {
      mkdirSync(dirname(join(scratch, path)), { recursive: true })
      writeFileSync(join(scratch, path), bytes)
    }
    const extraction = await extract(join(scratch, 'model.onnx'), join(scratch, 'data'), {
      preprocess: parsePreprocessing(config, 'c'),
      batch: 3,
    })
    inNode = {}
    for await (const { name, bytes } of extraction.files) {
      const parts: Uint8Array[] = []
      if (bytes instanceof Uint8Array) parts.push(bytes)
      else for await (const part of bytes) parts.push(part.slice())
      if (name.endsWith('.npy')) {
        inNode[name] = (await readNpy(memorySource(name, new Uint8Array(Buffer.concat(parts))), name)).data as ArrayLike<number>
      }
    }
    record = extraction.record()
    await extraction.close()
    visited = await visit({ files: await site(files), webgpu: true, limitMs })
  }, limitMs + 30_000)

  const told = (name: string) => {
    const found = (visited.told as Told[]).find((one) => one.name === name)
    if (!found || found.error) throw new Error(`${name}: ${found?.error ?? 'the page never came to it'}\n${visited.complaints.join('\n')}`)
    return found
  }
  const furthest = (a: ArrayLike<number>, b: ArrayLike<number>) =>
    Math.max(...Array.from(a, (value, i) => Math.abs(value - (b[i] as number))))

  it.each(['assay', 'onnxruntime', 'device'])('gives the activations that Node gives, by %s', (name) => {
    const { activations, logits, cols, predictions, labels, classNames, record: own } = told(name)
    expect(cols).toBe(6)
    expect(activations.length).toBe(30)
    const scale = Math.max(...Array.from(inNode['activations.npy'] as ArrayLike<number>, Math.abs))
    expect(scale).toBeGreaterThan(0.1)
    expect(furthest(activations, inNode['activations.npy'] as ArrayLike<number>)).toBeLessThan(1e-5 * scale)
    expect(furthest(logits, inNode['logits.npy'] as ArrayLike<number>)).toBeLessThan(1e-4)
    expect(predictions).toEqual(Array.from(inNode['preds.npy'] as ArrayLike<number>))
    expect(labels).toEqual([0, 0, 1, 1, 1])
    expect(classNames).toEqual(['cat', 'dog'])
    expect(own.runtime).toBe(name === 'assay' ? 'assay' : 'onnxruntime')
  })

  it('records the digests that Node records, whatever the folder is called', () => {
    const { inputs, ...own } = told('assay').record
    const withoutNames = (list: readonly object[]) => list.map((input) => ({ ...input, name: '' }))
    expect(withoutNames(inputs)).toEqual(withoutNames(record.inputs))
    expect(own).toEqual(Object.fromEntries(Object.entries(record).filter(([key]) => key !== 'inputs')))
  })

  it.each(['assay', 'onnxruntime', 'device'])('by %s, is taken by audit as it is', (name) => {
    expect(told(`audit of ${name}`)).toMatchObject({ verdict: 'inconclusive', rows: 5 })
  })

  it('leaves activations on the device that is given, until they are disposed', () => {
    expect([told('assay').inMemory, told('device').inMemory]).toEqual([true, false])
    expect(told('disposed').afterwards).toMatch(/^BackendError: webgpu: activations were used after they were disposed/)
  })

  it('asks for nothing but what is served, and complains of nothing', () => {
    expect(visited.strayRequests).toEqual([])
    expect(visited.complaints).toEqual([])
  })
})

async function site(files: Readonly<Record<string, Uint8Array>>): Promise<Map<string, ServedFile>> {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: ['test/browser/extract-page.ts'],
    outfile: join(root, 'page.js'),
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2022',
    platform: 'browser',
    logLevel: 'error',
  })
  const given = { 'model.onnx': model, ...Object.fromEntries(Object.entries(files).map(([path, bytes]) => [`data/${path}`, bytes])) }
  const base64 = Object.fromEntries(Object.entries(given).map(([path, bytes]) => [path, Buffer.from(bytes).toString('base64')]))
  const body = `<!doctype html>
<title>model</title>
<script type="module">
  import { run } from '/page.js'
  await run(${JSON.stringify(base64)}, ${JSON.stringify(config)})
</script>
`
  const wasm = (name: string): [string, ServedFile] => [
    `/${name.split('/').at(-1)}`,
    { body: readFileSync(join(root, 'node_modules', name)), type: 'application/wasm' },
  ]
  return new Map<string, ServedFile>([
    ['/', { body, type: 'text/html' }],
    ['/page.js', { body: outputFiles[0]?.text ?? '', type: 'text/javascript' }],
    wasm('onnxruntime-web/dist/ort-wasm-simd-threaded.jsep.wasm'),
    wasm('onnxruntime-web/dist/ort-wasm-simd-threaded.asyncify.wasm'),
    wasm('@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm'),
    wasm('@jsquash/webp/codec/dec/webp_dec.wasm'),
  ])
}
