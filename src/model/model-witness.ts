import type { ActivationSet } from '../core/activation-set.js'
import { toHex } from '../core/bytes-as-text.js'
import { InputError } from '../core/errors.js'
import { newSha256InJs } from '../core/sha256-in-js.js'
import { showText } from '../core/untrusted-text.js'
import type { NoTestimony, Testimony, Witness, WitnessQuestion } from '../core/witness.js'
import { Pictures } from '../exhibits/pictures.js'
import type { Pixels } from '../exhibits/png.js'
import { binomialCdf } from '../stats/binomial.js'
import type { Classifier } from './classifier.js'
import { type Preprocessing, pictureInput, preparePicture } from './preprocess.js'
import { markOf } from './transplant.js'

/** The model of a witness. */
export interface WitnessModel {
  readonly classifier: Classifier
  readonly preprocess: Preprocessing
  /** SHA-256 of the model's file, in hexadecimal. */
  readonly sha256: string
}

/** Pictures of each kind that are taken, at most, and that there must be. */
const mostSuspects = 64
const mostMajority = 64
const mostOthers = 400
const mostHosts = 60
const fewest = 5
const fewestHosts = 10

/**
 * A witness for an audit: the model that was trained on the set, opened when it is first asked. What sets the pictures of the suspected rows apart from
 * pictures like them (`markOf`) is laid over pictures of other classes, those of the class they seem to be taken from where there are
 * enough, which the model takes for what they are not: the class in question. Beside it, on the same pictures, the same of rows of the class that are not suspected. The
 * p-value is the exact one-sided test of McNemar on the pictures that only one of the two sends to the class. Pictures are those of the set (`images`); labels have to
 * be the indices of the model's classes. The record has the digests of the model and of the pictures that were compared.
 */
export function modelWitness(open: () => Promise<WitnessModel>): Witness {
  let opened: Promise<WitnessModel> | null = null
  const compared = newSha256InJs()
  const model = () => {
    opened ??= open()
    return opened
  }
  return {
    async ask(set, question) {
      try {
        return await testify(set, question, { ...(await model()), compared })
      } catch (error) {
        question.signal?.throwIfAborted()
        if (!(error instanceof InputError)) throw error
        return { reason: showText(error.message, 300) }
      }
    },
    async record() {
      const { sha256, preprocess } = await model()
      return { model: sha256, preprocess, pictures: toHex(compared.clone().digest()) }
    },
  }
}

async function testify(
  set: ActivationSet,
  question: WitnessQuestion,
  { classifier, preprocess, compared }: WitnessModel & { readonly compared: ReturnType<typeof newSha256InJs> },
): Promise<Testimony | NoTestimony> {
  const { images } = set
  if (!images) return { reason: 'the set has no pictures' }
  if (classifier.takesIds) return { reason: 'the model takes no pictures' }
  const target = set.classes[question.classIndex]?.label
  const pictures = new Pictures(images)
  const suspects = await readLike(pictures, question.suspects, { most: mostSuspects })
  const like = suspects[0] ?? null
  const majority = await readLike(pictures, question.rest, { most: mostMajority, like })
  const outside = rowsOutside(set, question)
  const others = await readLike(pictures, outside.others, { most: mostOthers, like, spaced: true })
  const sources = await readLike(pictures, outside.sources, { most: mostOthers, like, spaced: true })
  for (const { data } of [...suspects, ...majority, ...others, ...sources]) compared.update(data)
  if (suspects.length < fewest || majority.length < fewest || others.length < fewestHosts) {
    const reason = `there are pictures of ${suspects.length} suspected rows, ${majority.length} others of the class and ${others.length} of other classes, needs ${fewest}, ${fewest} and ${fewestHosts}`
    return { reason }
  }
  const guess = async (list: readonly Pixels[]) => {
    const length = classifier.inputLength
    const x = new Float32Array(list.length * length)
    for (const [at, one] of list.entries()) {
      const prepared = preparePicture(one, classifier.inputShape, preprocess, 'a picture of the set')
      x.set(pictureInput(prepared, classifier.inputShape, preprocess, 'a picture of the set'), at * length)
    }
    question.signal?.throwIfAborted()
    const logits = await classifier.logits(x)
    const classes = logits.length / list.length
    if (typeof target !== 'number' || !Number.isInteger(target) || target < 0 || target >= classes) return null
    return list.map((_, row) => {
      const own = logits.subarray(row * classes, (row + 1) * classes)
      return own.indexOf(own.reduce((a, b) => Math.max(a, b)))
    })
  }
  const pool = sources.length >= fewestHosts ? sources : others
  const plain = await guess(pool)
  if (!plain) return { reason: `label ${showText(target, 40)} is no index of the model's classes` }
  const hosts = spread(
    pool.filter((_, at) => plain[at] !== target),
    mostHosts,
  )
  if (hosts.length < fewestHosts)
    return { reason: `the model takes all but ${hosts.length} pictures of other classes for the class already` }
  const mark = markOf(suspects, majority, others)
  const sent = (await guess(hosts.map(mark.suspected)))?.map((one) => one === target) ?? []
  const control = (await guess(hosts.map(mark.matched)))?.map((one) => one === target) ?? []
  const only = sent.filter((one, at) => one && !control[at]).length
  const onlyControl = control.filter((one, at) => one && !sent[at]).length
  return {
    inputs: hosts.length,
    sent: sent.filter(Boolean).length,
    sentByMatched: control.filter(Boolean).length,
    pValue: binomialCdf(onlyControl, only + onlyControl, 0.5),
    mark: mark.says,
  }
}

/** Rows of other classes, and of these those of the source class. */
function rowsOutside({ classOf }: ActivationSet, { classIndex, sourceClass }: WitnessQuestion): { others: number[]; sources: number[] } {
  const others = [...classOf.keys()].filter((row) => classOf[row] !== classIndex)
  return { others, sources: others.filter((row) => classOf[row] === sourceClass) }
}

/** At most `most` pictures of raw pixels, all of the size of `like`, or of the first: the first ones, or evenly spaced ones. */
async function readLike(
  pictures: Pictures,
  rows: ArrayLike<number>,
  { most, like = null, spaced = false }: { most: number; like?: Pixels | null; spaced?: boolean },
): Promise<Pixels[]> {
  const there = Array.from(rows).filter((row) => pictures.has(row))
  const read: Pixels[] = []
  for (const row of spaced ? spread(there, most) : there.slice(0, most)) {
    const pixels = await pictures.readPixels(row)
    const first = like ?? read[0] ?? pixels
    if (pixels && first && pixels.width === first.width && pixels.height === first.height && pixels.channels === first.channels)
      read.push(pixels)
  }
  return read
}

function spread<T>(list: readonly T[], most: number): T[] {
  return list.length <= most ? [...list] : Array.from({ length: most }, (_, at) => list[Math.floor((at * list.length) / most)] as T)
}
