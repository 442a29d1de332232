import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { Rng } from '../../src/core/rng.js'
import { memorySource } from '../../src/io/byte-source.js'
import { prepareNetwork } from '../../src/model/network/network.js'
import { readOnnx } from '../../src/model/onnx.js'
import { unitRange } from '../../src/model/pixel-range.js'
import { scaleUpScores, stripScores } from '../../src/model/query-tests.js'
import { auroc } from '../../src/stats/auroc.js'
import { arrayOf, channelsFirst } from './arrays.js'

// How well STRIP and SCALE-UP tell triggered from clean inputs.
// Each FOLDER is a scenario of ../shared/data (model.onnx, pictures, truth/), or a folder of train_zoo.py's.
// usage: run.mjs query-tests FOLDER ...   A triggered input counts where the network takes it for the target, and for another class without the trigger.

interface Case {
  readonly name: string
  readonly model: string
  readonly target: number
  readonly clean: Float32Array
  readonly triggered: Float32Array
}

const rows: number[][] = []
console.log('network: triggered inputs; AUROC of STRIP, SCALE-UP without data, with clean inputs')
for (const folder of process.argv.slice(2)) {
  for (const { name, model, target, clean, triggered } of await casesOf(folder)) {
    const network = await prepareNetwork(await readOnnx(memorySource(model, readFileSync(model))))
    const length = network.inputLength
    const guessOf = (x: Float32Array) => {
      const logits = network.logits(x)
      return logits.indexOf(Math.max(...logits))
    }
    const isSent = (row: number) => guessOf(triggered.subarray(row * length, (row + 1) * length)) === target
    const sent = [...new Array(triggered.length / length).keys()].filter(isSent)
    const half = Math.floor(clean.length / length / 2) * length
    const [known, rest] = [clean.subarray(0, half), clean.subarray(half)]
    const tested = new Float32Array(sent.length * length + rest.length)
    for (const [to, row] of sent.entries()) tested.set(triggered.subarray(row * length, (row + 1) * length), to * length)
    tested.set(rest, sent.length * length)
    const isTriggered = Array.from({ length: tested.length / length }, (_, row) => (row < sent.length ? 1 : 0))
    const scores = [
      stripScores(network, tested, { clean: known, rng: new Rng(0, 'strip'), range: unitRange }),
      scaleUpScores(network, tested, { range: unitRange }),
      scaleUpScores(network, tested, { range: unitRange, clean: known }),
    ]
    const areas = scores.map((own) => auroc(own, isTriggered) ?? Number.NaN)
    if (sent.length >= 10) rows.push(areas)
    console.log(`${name.padEnd(24)} ${String(sent.length).padStart(4)}  ${areas.map((area) => area.toFixed(3)).join('  ')}`)
  }
}
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
console.log(`mean of ${rows.length}: ${[0, 1, 2].map((column) => mean(rows.map((row) => row[column] as number)).toFixed(3)).join('  ')}`)

async function casesOf(folder: string): Promise<Case[]> {
  return existsSync(join(folder, 'truth/truth.json')) ? [await scenario(folder)] : trainedZoo(folder)
}

async function scenario(folder: string): Promise<Case> {
  const truth = JSON.parse(readFileSync(join(folder, 'truth/truth.json'), 'utf8')) as { target: number }
  const subset = join(folder, 'images_subset.npz')
  const path = existsSync(subset) ? subset : join(folder, 'images.npz')
  const { data, shape } = await arrayOf(path, 'images')
  const pictures = channelsFirst(data, shape)
  const index = existsSync(subset) ? [...(await arrayOf(path, 'index')).data] : [...new Array(shape[0]).keys()]
  const poisoned = (await arrayOf(join(folder, 'truth/poison_mask.npy'))).data
  const covers = join(folder, 'truth/cover_mask.npy')
  const covered = existsSync(covers) ? (await arrayOf(covers)).data : null
  const size = pictures.length / (shape[0] as number)
  const clean = [...index.keys()].filter((at) => !poisoned[index[at] as number] && !covered?.[index[at] as number]).slice(0, 400)
  const shown = await arrayOf(join(folder, 'truth/triggered_test_images.npy'))
  return {
    name: basename(folder),
    model: join(folder, 'model.onnx'),
    target: truth.target,
    clean: Float32Array.from(clean.flatMap((at) => [...pictures.subarray(at * size, (at + 1) * size)])),
    triggered: channelsFirst(shown.data, shown.shape),
  }
}

async function trainedZoo(folder: string): Promise<Case[]> {
  const cases: Case[] = []
  for (const file of readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .sort()) {
    const truth = JSON.parse(readFileSync(join(folder, file), 'utf8')) as { model: string; target?: number; asr?: number; trigger?: string }
    if (truth.target === undefined || (truth.asr ?? 0) < 0.8) continue
    const arrays = join(folder, `${truth.model}.npz`)
    const [clean, triggered] = await Promise.all([arrayOf(arrays, 'images'), arrayOf(arrays, 'triggered')])
    cases.push({
      name: `${truth.model} ${truth.trigger}`.slice(0, 24),
      model: join(folder, `${truth.model}.onnx`),
      target: truth.target,
      clean: channelsFirst(clean.data, clean.shape),
      triggered: channelsFirst(triggered.data, triggered.shape),
    })
  }
  return cases
}
