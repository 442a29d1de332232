import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { type ActivationSet, toActivationSet } from '../core/activation-set.js'
import { InputError } from '../core/errors.js'
import type { Label } from '../core/labels.js'
import { showText } from '../core/untrusted-text.js'
import { readBytes } from '../io/byte-source.js'
import { fileError, openFile } from '../io/node-file-source.js'
import { openAudit } from '../io/node-open-audit.js'
import { readNpy } from '../io/npy.js'
import { parseReferences, type ScenarioReferences } from './references.js'
import { checkTruth, type ToldTruth, type Truth } from './truth.js'

const maxJsonBytes = 16 * 2 ** 20

export interface ScenarioFolder {
  readonly name: string
  readonly path: string
}

/** An audit folder with its truth, in memory. */
export interface Scenario {
  readonly name: string
  readonly set: ActivationSet
  readonly truth: Truth
}

/**
 * The scenarios under `folder`: itself, or the folders in it, that hold activations.npy and truth/poison_mask.npy; by name. Throws
 * `InputError` `no-scenario` where there is none.
 */
export async function findScenarios(folder: string): Promise<ScenarioFolder[]> {
  const root = resolve(folder)
  if (await isScenario(root)) return [{ name: basename(root), path: root }]
  let names: string[]
  try {
    names = (await readdir(root)).sort()
  } catch (error) {
    throw fileError(error, folder)
  }
  const found: ScenarioFolder[] = []
  for (const name of names) if (await isScenario(join(root, name))) found.push({ name, path: join(root, name) })
  if (found.length > 0) return found
  throw new InputError(
    'no-scenario',
    `${showText(folder, 300)}: holds no audit folder with a truth/, expected activations.npy, labels.npy and truth/poison_mask.npy in it or in folders in it`,
  )
}

/** Reads a scenario. Throws `InputError` as `openAudit` does, and for a `truth/` that does not fit the arrays. */
export async function openScenario({ name, path }: ScenarioFolder): Promise<Scenario> {
  const set = toActivationSet(await openAudit(path))
  const where = `${showText(name, 100)}/truth`
  const poisoned = await readMask(join(path, 'truth', 'poison_mask.npy'), `${where}/poison_mask.npy`)
  const told = (await readJson(join(path, 'truth', 'truth.json'), `${where}/truth.json`)) ?? {}
  const truth = checkTruth(set, { poisoned, ...truthOf(told, `${where}/truth.json`) }, where)
  return { name, set, truth }
}

/** Reference results in `folder`, or beside it where it is a scenario itself; empty where there are none. */
export async function readReferences(folder: string): Promise<ReadonlyMap<string, ScenarioReferences>> {
  const root = resolve(folder)
  const path = join((await isScenario(root)) ? dirname(root) : root, 'results.json')
  const value = await readJson(path, 'results.json')
  return value === null ? new Map() : parseReferences(value, 'results.json')
}

async function isScenario(folder: string): Promise<boolean> {
  return (await isFile(join(folder, 'activations.npy'))) && (await isFile(join(folder, 'truth', 'poison_mask.npy')))
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile()
  } catch {
    return false // not there, or not to be seen: no scenario either way
  }
}

async function readMask(path: string, where: string): Promise<Uint8Array> {
  const file = await openFile(path, where)
  try {
    const { shape, data } = await readNpy(file, where)
    if (shape.length !== 1 || Array.isArray(data)) {
      throw new InputError('bad-shape', `${where}: has shape [${shape.join(', ')}], expected one number or boolean a row`)
    }
    return Uint8Array.from(data as ArrayLike<number | bigint>, (value) => (Number(value) === 0 ? 0 : 1))
  } finally {
    await file.close()
  }
}

function truthOf(told: unknown, where: string): Omit<ToldTruth, 'poisoned'> {
  if (typeof told !== 'object' || told === null || Array.isArray(told)) throw new InputError('bad-json', `${where}: expected an object`)
  const fields = told as { [name in 'attack' | 'target' | 'epsilon' | 'source']?: unknown }
  const { attack = null, target = null, epsilon = null, source = null } = fields
  for (const [name, label] of Object.entries({ target, source })) {
    if (label === null || typeof label === 'string' || Number.isSafeInteger(label)) continue
    throw new InputError('bad-truth', `${where}: ${name} is ${showText(label)}, expected a label: a whole number or a string`)
  }
  if (epsilon !== null && typeof epsilon !== 'number') {
    throw new InputError(
      'bad-truth',
      `${where}: epsilon is ${showText(epsilon)}, expected the poisoned share of the rows bearing the label`,
    )
  }
  const title = typeof attack === 'string' ? showText(attack, 200) : null
  return { attack: title, target: target as Label | null, epsilon, source: source as Label | null }
}

/** The value in a JSON file, null where there is no such file. */
async function readJson(path: string, where: string): Promise<unknown> {
  if (!(await isFile(path))) return null
  const file = await openFile(path, where)
  try {
    if (file.byteLength > maxJsonBytes) {
      throw new InputError('too-large', `${where}: has ${file.byteLength} bytes, expected at most ${maxJsonBytes}`)
    }
    const bytes = await readBytes(file, 0, file.byteLength, where)
    try {
      return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
    } catch (cause) {
      throw new InputError('bad-json', `${where}: is not valid JSON in UTF-8; write it with a JSON library`, {}, cause)
    }
  } finally {
    await file.close()
  }
}
