import { copyFile } from 'node:fs/promises'
import { dirname, join, posix } from 'node:path'
import { InputError, OptionError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import { listNames } from '../io/list-names.js'
import { type FileSource, openFile } from '../io/node-file-source.js'
import type { HubOrigin } from './extraction.js'
import { type HubReference, parseHubReference } from './hub-reference.js'
import { type HubOptions, openHubRepository } from './node-hub-repository.js'
import { readOnnx } from './onnx.js'

/** What was fetched from the Hub: where it lies, and which commit it is of. */
export interface FetchedFromHub {
  readonly path: string
  readonly origin: HubOrigin
}

const usualModels = ['model.onnx', 'onnx/model.onnx']
const configName = 'preprocessor_config.json'
/** What inputs, labels and names lie in. */
const dataNames = /\.(?:parquet|npz|npy|safetensors|png|jpe?g|webp|bmp|csv|json|jsonl|gz)$/i

/**
 * Fetches an ONNX model, `hub:org/name[@revision][/path]`, into `folder`: the file itself (`model.onnx`, `onnx/model.onnx` or the only one, where no path says
 * which), its files of weights, and the `preprocessor_config.json` beside it, or else at the root of the repository. Throws `OptionError` `bad-hub-reference`, `InputError` as
 * `openHubRepository` and `readOnnx` do, and `not-found` where it is not clear which file is meant.
 */
export async function fetchHubModel(text: string, folder: string, options: HubOptions = {}): Promise<FetchedFromHub> {
  const reference = referenceOf(text, 'model')
  const repository = await openHubRepository(reference, options)
  const path = modelPath(reference, repository.paths)
  const model = await repository.download(path, folder)
  const opened: FileSource[] = []
  const open = async (at: string) => {
    const file = await openFile(at)
    opened.push(file)
    return file
  }
  try {
    await readOnnx(await open(model), async (location) =>
      open(await repository.download(posix.normalize(posix.join(posix.dirname(path), location)), folder)),
    )
  } finally {
    for (const file of opened) await file.close()
  }
  const beside = posix.join(posix.dirname(path), configName)
  const config = [beside, configName].find((candidate) => repository.paths.includes(candidate))
  if (config !== undefined) {
    const fetched = await repository.download(config, folder)
    const wanted = join(dirname(model), configName)
    if (fetched !== wanted) await copyFile(fetched, wanted)
  }
  return { path: model, origin: repository.origin }
}

/**
 * Fetches data, `hub:datasets/org/name[@revision][/path]`, into `folder`: a file, a folder (of what inputs, labels and names lie in), or the files that a path with
 * one `*` in its last part names, such as `data/train-*`. Throws as `fetchHubModel` does.
 */
export async function fetchHubData(text: string, folder: string, options: HubOptions = {}): Promise<FetchedFromHub> {
  const reference = referenceOf(text, 'dataset')
  const repository = await openHubRepository(reference, options)
  const { path } = reference
  const [before = '', after] = path.split('*')
  const wanted = repository.paths.filter((candidate) => {
    if (after !== undefined)
      return candidate.startsWith(before) && candidate.endsWith(after) && !candidate.slice(before.length).includes('/')
    return candidate === path || ((path === '' || candidate.startsWith(`${path}/`)) && dataNames.test(candidate))
  })
  if (wanted.length === 0) throw nothing(text, repository.paths, 'data at that path')
  for (const candidate of wanted) await repository.download(candidate, folder)
  return { path: join(folder, after === undefined ? path : posix.dirname(path)), origin: repository.origin }
}

function referenceOf(text: string, kind: HubReference['kind']): HubReference {
  const reference = parseHubReference(text)
  if (reference?.kind === kind && (kind === 'dataset' || !reference.path.includes('*'))) return reference
  const expected = kind === 'model' ? 'hub:org/name[@revision][/path]' : 'hub:datasets/org/name[@revision][/path]'
  throw new OptionError('bad-hub-reference', `${showText(text, 200)}: expected a ${kind}, ${expected}`)
}

function modelPath({ path, name }: HubReference, paths: readonly string[]): string {
  const models = paths.filter((candidate) => candidate.endsWith('.onnx'))
  if (path !== '') {
    if (paths.includes(path)) return path
    throw nothing(`hub:${name}`, models, `the file '${showText(path, 200)}'`)
  }
  const found = usualModels.find((candidate) => models.includes(candidate)) ?? (models.length === 1 ? models[0] : undefined)
  if (found !== undefined) return found
  throw nothing(`hub:${name}`, models.length === 0 ? paths : models, models.length === 0 ? 'an .onnx file' : 'one .onnx file; name it')
}

function nothing(where: string, held: readonly string[], expected: string): InputError {
  return new InputError('not-found', `${showText(where, 200)}: holds ${listNames(held)}, expected ${expected}`)
}
