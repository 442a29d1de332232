import { InputError, OptionError } from '../core/errors.js'
import { Rng } from '../core/rng.js'
import { showText } from '../core/untrusted-text.js'
import { type ByteSource, readBytes, readHead } from '../io/byte-source.js'
import type { OpenExternal } from '../io/onnx-external.js'
import { openClassifier } from './classifier.js'
import { estimatedNetwork } from './estimated-network.js'
import { prepareNetwork } from './network/network.js'
import { type OnnxModel, readOnnx } from './onnx.js'
import { type PixelRange, unitRange } from './pixel-range.js'
import { recoverTrigger } from './recover-trigger.js'
import { type ClassSearch, type SearchOptions, searchClasses } from './search-classes.js'
import type { SearchedNetwork } from './searched-network.js'
import { type ShownTrigger, showTrigger } from './trigger-pictures.js'
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
  readonly id: 'model-backdoor' | 'model-trigger-tried' | 'model-not-run' | 'model-few-classes'
  readonly severity: 'suspicious' | 'undecided' | 'note'
  readonly path: string
  readonly offset: number | null
  readonly says: string
  readonly fix: string
  /** The trigger that the finding is about, where it is about one. */
  readonly trigger?: ShownTrigger
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
  /** The trigger to `target`, whatever the verdict; null where the network could not be run. */
  readonly trigger: ShownTrigger | null
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
  const add = (finding: Omit<ExaminationFinding, 'path' | 'offset'>) => findings.push({ path: file.name, offset: null, ...finding })
  const notRun = (why: string) =>
    add({
      id: 'model-not-run',
      severity: 'note',
      says: `${why}; no trigger was searched for, and only the last layer's weights were compared`,
      fix: 'export the model to ONNX with a fixed input size, or audit its training data',
    })
  let behaviour: Behaviour | null = null
  if ('nodes' in model) {
    const network = await tryNetwork(model, { file, range: options.range ?? unitRange, notRun })
    if (network) {
      checkInputs(options, network, file.name)
      behaviour = await searchBehaviour(network, options)
      if (!behaviour) notRun(`its ${network.products} products for one input are too many`)
    }
  } else notRun('weights without a graph cannot be run')
  const search = behaviour?.search ?? null
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
    return { score: 0.5, target, classes, findings, layers, finalLayer: last, search, trigger: (await behaviour?.recover(target)) ?? null }
  }
  const trigger = (await behaviour?.recover(target)) ?? null
  const adjusted = Math.min(1, (classes[target]?.pValue ?? 1) * classes.length)
  const shown = trigger ? { trigger } : {}
  if (adjusted <= falseAccusationRate) {
    add({
      id: 'model-backdoor',
      severity: 'suspicious',
      says: accusation(target, adjusted, trigger, last),
      fix: 'do not use the model; audit its training data, and train it again from data that was cleared',
      ...shown,
    })
  } else if (trigger) {
    add({
      id: 'model-trigger-tried',
      severity: 'note',
      says: `no class is reached so much more easily than the others that it is accused; likeliest is class ${target} (p = ${sayP(adjusted)}, all classes counted), to which ${sayTrial(trigger)}. Clean networks can be led astray too`,
      fix: 'nothing is called for; look at the trigger, and see docs/models.md for what a search cannot see',
      ...shown,
    })
  }
  return { score: (1 - strength) ** classes.length, target, classes, findings, layers, finalLayer: last, search, trigger }
}

/** What a network does when triggers are looked for. */
interface Behaviour {
  readonly search: readonly ClassSearch[]
  recover(target: number): Promise<ShownTrigger>
}

async function searchBehaviour(network: SearchedNetwork, options: ExamineOptions): Promise<Behaviour | null> {
  const { range = unitRange, inputs, seed = 0, signal, onProgress } = options
  const rng = new Rng(seed, 'model')
  const found = await searchClasses(network, { range, inputs, rng, signal, onProgress })
  if (!found) return null
  const { searched, heldOut } = found
  return {
    search: found.classes,
    async recover(target) {
      const few = inputs !== undefined && heldOut.length < fewestTried * network.inputLength
      const tried = few ? searched : heldOut
      const kind = !inputs ? 'prototypes' : few ? 'searched' : 'held-out'
      const given = { searched, tried, kind, range, rng: rng.fork('trigger') } as const
      return showTrigger(network, await recoverTrigger(network, found.classes[target] as ClassSearch, given), given)
    },
  }
}

/** With fewer inputs left over, a trigger is tried on those it was made on. */
const fewestTried = 10

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

interface Tried {
  readonly file: ModelFile
  readonly range: PixelRange
  readonly notRun: (why: string) => void
}

/** The network to be searched: run and differentiated here or, where it has operations that are not known here, run in ONNX Runtime where that is installed. */
async function tryNetwork(model: OnnxModel, { file, range, notRun }: Tried): Promise<SearchedNetwork | null> {
  try {
    const network = await prepareNetwork(model)
    if (!network.takesIds) return network
    notRun('its inputs are whole numbers, such as token ids, between which there is no gradient')
    return null
  } catch (error) {
    if (!(error instanceof InputError) || error.code !== 'unsupported-model') throw error
    try {
      const { source, name } = file
      const classifier = await openClassifier(model, () => readBytes(source, 0, source.byteLength, showText(name, 300)))
      if (!classifier.takesIds) return await estimatedNetwork(classifier, { range, products: guessedProducts(model) })
    } catch (refusal) {
      if (!(refusal instanceof InputError)) throw refusal
    }
    notRun(error.message)
    return null
  }
}

/** Products of one forward pass, where the graph is not known well enough to count them: as if every weight were used on a sixteenth of the pixels. */
function guessedProducts({ initializers, inputs }: OnnxModel): number {
  const pixels = (inputs[0]?.shape ?? []).slice(-2).reduce<number>((product, size) => product * (size ?? 1), 1)
  const weights = [...initializers.values()].reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0)
  return weights * Math.max(1, pixels / 16)
}

function checkInputs({ inputs, range }: ExamineOptions, network: SearchedNetwork, name: string): void {
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

function accusation(target: number, pValue: number, trigger: ShownTrigger | null, last: FinalLayer | null): string {
  const p = `(p = ${sayP(pValue)}, all classes counted)`
  if (!trigger) return `the weights of class ${target} in ${showText(last?.name)} stand apart from the other classes' ${p}`
  return `class ${target} is reached more easily than any other ${p}: ${sayTrial(trigger)}`
}

const sayP = (p: number) => (p < 1e-4 ? p.toExponential(1) : p.toPrecision(2))

const namesOfInputs = {
  'held-out': 'clean inputs of other classes that it was not made on',
  searched: 'clean inputs of other classes, those it was made on',
  prototypes: 'grown inputs of other classes that it was not made on',
}

/** What the trigger is and how it worked, as the second half of a sentence. */
function sayTrial({ kind, box, pixels, trial, target }: ShownTrigger): string {
  const { inputs, tried, sent, sentByChance } = trial
  const what =
    kind === 'change'
      ? 'a small change of the whole input'
      : box
        ? `a patch of ${box.height}×${box.width} pixels at row ${box.row}, column ${box.column}`
        : `a change of ${pixels?.length} numbers`
  const control = `${kind === 'change' ? 'a random change of that size' : 'random values in its place'}: ${Math.round(sentByChance)}`
  return `${what} sends ${sent} of ${tried} ${namesOfInputs[inputs]} to class ${target} (${control})`
}
