import { InputError, OptionError } from '../core/errors.js'
import { Rng } from '../core/rng.js'
import { showText } from '../core/untrusted-text.js'
import { type ByteSource, readHead } from '../io/byte-source.js'
import type { OpenExternal } from '../io/onnx-external.js'
import { type Network, prepareNetwork } from './network/network.js'
import { type OnnxModel, readOnnx } from './onnx.js'
import { type PixelRange, unitRange } from './pixel-range.js'
import { type ClassSearch, type SearchOptions, searchClasses } from './search-classes.js'
import { type FinalLayer, finalLayer, type LayerStatistics, layerStatistics } from './weight-statistics.js'
import { onnxWeights, safetensorsWeights } from './weights.js'

export interface ModelFile {
  /** Where it lies on disk; null for one that is only in memory. */
  readonly path: string | null
  /** Its name in findings. */
  readonly name: string
  readonly source: ByteSource
  /** Opens files of weights beside an ONNX model (external data); a model that has some is refused without. */
  readonly openExternal?: OpenExternal | undefined
}

export interface ExamineOptions {
  /** Clean inputs `[n, inputLength]` in the network's own form; without any, the network's prototypes take their place. */
  readonly inputs?: Float32Array | undefined
  /** The least and greatest value of a pixel, per channel. Default 0 to 1. */
  readonly range?: PixelRange | undefined
  /** Default 0. */
  readonly seed?: number | undefined
  /** The probability that a clean model is called suspicious. Default 0.01. */
  readonly falseAccusationRate?: number | undefined
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: SearchOptions['onProgress']
}

export interface ExaminedClass {
  /** Index of the class. */
  readonly label: number
  /** Probability that a class like the model's other ones looks like this; null where none was computed. */
  readonly pValue: number | null
}

export interface ExaminationFinding {
  readonly id: 'model-backdoor' | 'model-not-run' | 'model-few-classes'
  readonly severity: 'suspicious' | 'undecided' | 'note'
  readonly path: string
  readonly offset: number | null
  readonly says: string
  readonly fix: string
}

/** What a model's weights and behaviour say about a backdoor in it. */
export interface ModelExamination {
  /** 0 to 1, higher is more suspicious; 0.5 where nothing can be said. */
  readonly score: number
  /** The class that a backdoor would likeliest lead to, whatever the verdict; null only where no classes were found. */
  readonly target: number | null
  readonly classes: readonly ExaminedClass[]
  readonly findings: readonly ExaminationFinding[]
  readonly layers: readonly LayerStatistics[]
  readonly finalLayer: FinalLayer | null
  /** The search of every class's trigger; null where the network could not be run. */
  readonly search: readonly ClassSearch[] | null
}

/**
 * Looks for a backdoor in a classifier: by its behaviour, where it is an ONNX graph that can be run here (searchClasses), else by its last
 * layer. `classes` have a p-value each, family-wise valid after Holm. null for what is neither an ONNX model nor a safetensors file with a
 * last layer.
 *
 * Throws `InputError` for a damaged file (what `readOnnx` and `openSafetensors` throw) and for inputs that do not fit, `OptionError`
 * `bad-option` for a rate outside 0 to 1, and the signal's reason.
 */
export async function examineModel(file: ModelFile, options: ExamineOptions = {}): Promise<ModelExamination | null> {
  const { signal, falseAccusationRate = 0.01 } = options
  if (!(falseAccusationRate > 0 && falseAccusationRate < 1)) {
    throw new OptionError('bad-option', `falseAccusationRate: got ${falseAccusationRate}, expected a number between 0 and 1`)
  }
  const model = await open(file)
  if (!model) return null
  const weights = 'nodes' in model ? onnxWeights(model) : model
  const last = await finalLayer(weights)
  const layers = await layerStatistics(weights, signal)
  const findings: ExaminationFinding[] = []
  const add = (finding: Pick<ExaminationFinding, 'id' | 'severity' | 'says' | 'fix'>) =>
    findings.push({ path: file.name, offset: null, ...finding })
  const notRun = (why: string) =>
    add({
      id: 'model-not-run',
      severity: 'note',
      says: `${why}; no trigger was searched for, and only the last layer's weights were compared`,
      fix: 'export the model to ONNX with a fixed input size, or audit its training data',
    })
  let search: ClassSearch[] | null = null
  if ('nodes' in model) {
    const network = await tryNetwork(model, notRun)
    if (network) {
      checkInputs(options, network, file.name)
      const { range = unitRange, inputs, seed = 0, onProgress } = options
      search = await searchClasses(network, { range, inputs, rng: new Rng(seed, 'model'), signal, onProgress })
      if (!search) notRun(`its ${network.products} products for one input are too many`)
    }
  } else notRun('weights without a graph cannot be run')
  const classes = search?.map(({ label, pValue }) => ({ label, pValue })) ?? last?.pValues.map((pValue, label) => ({ label, pValue }))
  if (!classes) return null
  const strengths = search ? search.map(({ strength }) => strength) : classes.map(({ pValue }) => pValue)
  const reach = search ? search.map(({ patch }) => -patch.margin) : [...(last?.means ?? [])].map((mean) => -mean)
  const target = leastOf(strengths.includes(null) ? reach : (strengths as number[]))
  const strength = strengths[target]
  if (strength === null || strength === undefined) {
    add({
      id: 'model-few-classes',
      severity: 'undecided',
      says: `it has ${classes.length} classes, and fewer than four cannot be compared with each other`,
      fix: 'audit its training data instead',
    })
    return { score: 0.5, target, classes, findings, layers, finalLayer: last, search }
  }
  const adjusted = Math.min(1, (classes[target]?.pValue ?? 1) * classes.length)
  if (adjusted <= falseAccusationRate) {
    add({
      id: 'model-backdoor',
      severity: 'suspicious',
      says: accusation(target, adjusted, search?.[target], last),
      fix: 'do not use the model; audit its training data, and train it again from data that was cleared',
    })
  }
  return { score: (1 - strength) ** classes.length, target, classes, findings, layers, finalLayer: last, search }
}

/** A graph, or weights alone; null for another kind of file. */
async function open({ source, name, openExternal }: ModelFile): Promise<OnnxModel | Awaited<ReturnType<typeof safetensorsWeights>> | null> {
  const head = await readHead(source, Math.min(9, source.byteLength))
  if (head[8] === 0x7b) return safetensorsWeights(source, showText(name, 300))
  if (head[0] !== 0x08 && head[0] !== 0x3a && head[0] !== 0x12) return null // first field of a model: its version, graph or producer
  try {
    return await readOnnx(source, openExternal)
  } catch (error) {
    if (error instanceof InputError && error.code === 'bad-model') return null
    throw error
  }
}

async function tryNetwork(model: OnnxModel, notRun: (why: string) => void): Promise<Network | null> {
  try {
    const network = await prepareNetwork(model)
    if (!network.takesIds) return network
    notRun('its inputs are whole numbers, such as token ids, between which there is no gradient')
    return null
  } catch (error) {
    if (!(error instanceof InputError) || error.code !== 'unsupported-model') throw error
    notRun(error.message)
    return null
  }
}

function checkInputs({ inputs, range }: ExamineOptions, network: Network, name: string): void {
  const where = showText(name, 300)
  if (inputs && (inputs.length === 0 || inputs.length % network.inputLength !== 0)) {
    const shape = network.inputShape.join('×')
    const message = `${where}: got ${inputs.length} numbers of inputs, expected a multiple of ${network.inputLength} (${shape}); prepare them as the model takes them`
    throw new InputError('bad-shape', message)
  }
  if (range?.low.some((low, channel) => !(low < (range.high[channel] ?? low)))) {
    throw new OptionError('bad-option', `range: got ${range.low} to ${range.high}, expected each channel's least below its greatest`)
  }
}

function leastOf(values: readonly number[]): number {
  return values.reduce((best, value, index) => (value < (values[best] as number) ? index : best), 0)
}

function accusation(target: number, pValue: number, found: ClassSearch | undefined, last: FinalLayer | null): string {
  const p = pValue < 1e-4 ? pValue.toExponential(1) : pValue.toPrecision(2)
  if (!found)
    return `the weights of class ${target} in ${showText(last?.name)} stand apart from the other classes' (p = ${p}, all classes counted)`
  const { row, column, size, successRate, places } = found.patch
  const where = row === null ? `a change of ${places.length} numbers` : `a ${size}×${size} patch at row ${row}, column ${column}`
  const tried =
    found.heldOutSuccessRate === null ? '' : `, and ${Math.round(100 * found.heldOutSuccessRate)} % of inputs that it was not made on`
  return `${where} sends ${Math.round(100 * successRate)} % of the inputs it was made on${tried} to class ${target}, which no other class is as easily reached by (p = ${p}, all classes counted)`
}
