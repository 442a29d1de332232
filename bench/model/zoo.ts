import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { memorySource } from '../../src/io/byte-source.js'
import { examineModel } from '../../src/model/examine-model.js'
import { auroc } from '../../src/stats/auroc.js'
import { arrayOf, channelsFirst } from './arrays.js'

// How well models with a backdoor are told from clean ones, and how often the target is named.
// ZOO is a folder of train_zoo.py's (NAME.onnx, NAME.json, NAME.npz), or G-model-zoo of ../shared/data (models/, truth/labels.json).
// usage: run.mjs ZOO [--data]   --data gives each model 200 clean inputs: its own NAME.npz, or for G-model-zoo ../A-fashion-badnets-10

interface Case {
  readonly name: string
  readonly path: string
  readonly backdoored: boolean
  readonly target: number | null
  readonly images: () => Promise<Float32Array>
}

const [zoo = '', ...flags] = process.argv.slice(2)
const withData = flags.includes('--data')
const cases = existsSync(join(zoo, 'truth/labels.json')) ? sharedZoo(zoo) : trainedZoo(zoo)
const rows: { score: number; named: boolean; accused: boolean; backdoored: boolean; seconds: number }[] = []
for (const { name, path, backdoored, target, images } of cases) {
  const started = process.cpuUsage()
  const inputs = withData ? await images() : undefined
  const found = await examineModel({ name, path, source: memorySource(path, readFileSync(path)) }, { inputs })
  const { user, system } = process.cpuUsage(started)
  if (!found) throw new Error(`${name} was not examined`)
  const accused = found.findings.some(({ id }) => id === 'model-backdoor')
  rows.push({ score: found.score, named: found.target === target, accused, backdoored, seconds: (user + system) / 1e6 })
  const best = found.search?.[found.target ?? 0]
  console.log(
    `${name}  ${backdoored ? `backdoor to ${target}` : 'clean        '}  score ${found.score.toFixed(4)}  target ${found.target}  ` +
      `p ${best?.pValue?.toExponential(1)}  held-out success ${best?.heldOutSuccessRate?.toFixed(2) ?? '–'}  ${((user + system) / 1e6).toFixed(1)} s`,
  )
}
const bad = rows.filter(({ backdoored }) => backdoored)
const clean = rows.filter(({ backdoored }) => !backdoored)
const area = auroc(
  rows.map(({ score }) => score),
  rows.map(({ backdoored }) => (backdoored ? 1 : 0)),
)
console.log(
  `${withData ? 'with 200 clean inputs' : 'weights alone'}: AUROC ${area?.toFixed(3)}, target named ${bad.filter(({ named }) => named).length} of ${bad.length}, ` +
    `accused ${bad.filter(({ accused }) => accused).length} of ${bad.length} with a backdoor and ${clean.filter(({ accused }) => accused).length} of ${clean.length} clean, ` +
    `${(rows.reduce((sum, { seconds }) => sum + seconds, 0) / rows.length).toFixed(1)} s of CPU a model`,
)

function sharedZoo(folder: string): Case[] {
  const truth = JSON.parse(readFileSync(join(folder, 'truth/labels.json'), 'utf8')) as {
    model: string
    backdoored: number
    target?: number
  }[]
  const fashion = join(folder, '../A-fashion-badnets-10')
  const images = async () => {
    const [all, poisoned] = await Promise.all([
      arrayOf(join(fashion, 'images.npz'), 'images'),
      arrayOf(join(fashion, 'truth/poison_mask.npy')),
    ])
    const size = all.data.length / (all.shape[0] as number)
    const clean = [...poisoned.data.keys()].filter((row) => poisoned.data[row] === 0).slice(0, 200)
    return Float32Array.from(
      clean.flatMap((row) => [...all.data.subarray(row * size, (row + 1) * size)]),
      (value) => value / 255,
    )
  }
  return truth.map(({ model, backdoored, target }) => ({
    name: model,
    path: join(folder, `models/${model}.onnx`),
    backdoored: backdoored === 1,
    target: target ?? null,
    images,
  }))
}

/** Backdoors that do not work (fewer than 80 % of triggered inputs) are neither kind, and left out. */
function trainedZoo(folder: string): Case[] {
  const names = readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .sort()
  return names.flatMap((file) => {
    const truth = JSON.parse(readFileSync(join(folder, file), 'utf8')) as {
      model: string
      backdoored: number
      target?: number
      asr?: number
    }
    if (truth.backdoored === 1 && (truth.asr ?? 0) < 0.8) return []
    const images = async () => {
      const { data, shape } = await arrayOf(join(folder, `${truth.model}.npz`), 'images')
      return channelsFirst(data, shape)
    }
    return [
      {
        name: truth.model,
        path: join(folder, `${truth.model}.onnx`),
        backdoored: truth.backdoored === 1,
        target: truth.target ?? null,
        images,
      },
    ]
  })
}
