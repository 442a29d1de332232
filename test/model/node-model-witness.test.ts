import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { toActivationSet } from '../../src/core/activation-set.js'
import { modelFileWitness } from '../../src/model/node-model-witness.js'
import { runFake } from '../cli/fake-io.js'
import { writeOnnx } from '../support/onnx-writer.js'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'assay-witness-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const set = toActivationSet({ activations: { data: new Float32Array(8), rows: 4, cols: 2 }, labels: [0, 0, 1, 1] })
const question = { classIndex: 0, suspects: Uint32Array.of(0), rest: Uint32Array.of(1), sourceClass: null }

test('the model is read when it is first asked; one that is missing or damaged is a reason, not a failure', async () => {
  const path = join(folder, 'model.onnx')
  const late = modelFileWitness(path)
  const missing = (await modelFileWitness(path).ask(set, question)) as { reason: string }
  expect(missing.reason).toMatch(/model\.onnx/)
  const weights = { w: { shape: [2, 4], data: [1, 0, 0, 0, 0, 1, 0, 0] } }
  writeFileSync(
    path,
    writeOnnx({ inputShape: [4], nodes: [{ op: 'Gemm', inputs: ['input', 'w'], output: 'logits', attributes: { transB: 1 } }], weights }),
  )
  expect(await late.ask(set, question)).toEqual({ reason: 'the set has no pictures' })
  expect(await late.record()).toMatchObject({ model: expect.stringMatching(/^[0-9a-f]{64}$/), preprocess: { scale: 1 / 255 } })
  writeFileSync(path, 'no model')
  expect(((await modelFileWitness(path).ask(set, question)) as { reason: string }).reason).toMatch(/model\.onnx/)
})

test('assay audit has a witness where the folder holds a model, and none elsewhere', async () => {
  expect((await runFake(['audit', folder])).options?.witness).toBeUndefined()
  writeFileSync(join(folder, 'model.onnx'), '')
  expect((await runFake(['audit', folder])).options?.witness).toBeDefined()
  expect((await runFake(['audit', join(folder, 'model.npz')])).options?.witness).toBeUndefined()
})
