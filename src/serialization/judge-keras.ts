import { showText } from '../core/untrusted-text.js'
import { isDangerousImport } from './dangerous-imports.js'
import type { FindingId } from './finding-kinds.js'

export interface KerasJudgement {
  readonly id: FindingId
  readonly says: string
}

const maxNodes = 2 ** 20
const kerasPackages = /^(?:keras|tf_keras|tensorflow\.keras|tensorflow\.python\.keras|keras_core|keras_hub|keras_nlp|keras_cv)(?:\.|$)/
/** Parts of Keras that fetch, unpack and load files. */
const kerasFiles = /(?:^|\.)(?:utils|saving|models\.(?:load_model|cloning)|file_utils|serialization_lib|config)(?:\.|$)/
const plainTypes = new Set(['slice', 'set', 'tuple', 'frozenset', 'complex', 'bytes', 'int', 'float', 'str', 'bool', 'dict', 'list'])
const codeClasses = new Set(['Lambda', '__lambda__', 'TorchModuleWrapper'])

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/**
 * What loading a Keras configuration (the JSON of a `.keras` archive, an attribute of an HDF5 file, `model.json`) would do besides making
 * layers: run bytecode, import other modules, read files. Follows every object in it, wherever it lies.
 */
export function judgeKeras(config: unknown): KerasJudgement[] {
  const found: KerasJudgement[] = []
  const open: Json[] = [config as Json]
  for (let nodes = 0; open.length > 0; nodes++) {
    if (nodes > maxNodes) return [...found, { id: 'keras-malformed', says: `its configuration has more than ${maxNodes} values` }]
    const value = open.pop() as Json
    if (value === null || typeof value !== 'object') continue
    if (Array.isArray(value)) open.push(...(value as Json[]).slice(0, maxNodes))
    else {
      judgeObject(value as { readonly [key: string]: Json }, found)
      open.push(...Object.values(value))
    }
  }
  return found
}

function judgeObject(object: { readonly [key: string]: Json }, found: KerasJudgement[]): void {
  const { class_name: className, config, module, registered_name: registered, function_type: functionType } = object
  const names = [className, typeof registered === 'string' ? registered.split('>').pop() : null]
  const code = names.find((name) => typeof name === 'string' && codeClasses.has(name))
  if (code || functionType === 'lambda') {
    found.push({ id: 'keras-code', says: `the model has a ${showText(code ?? 'Lambda')}, which holds Python code` })
  }
  if (typeof className !== 'string') return
  if (typeof module === 'string') judgeModule(module, className === 'function' && typeof config === 'string' ? config : className, found)
  const fields = config !== null && typeof config === 'object' && !Array.isArray(config) ? (config as { readonly [key: string]: Json }) : {}
  for (const key of ['vocabulary', 'filepath', 'idf_weights']) {
    const path = fields[key]
    if (typeof path === 'string' && path !== '') {
      found.push({ id: 'keras-file', says: `layer ${showText(className)} reads the file '${showText(path, 200)}' when it is made` })
    }
  }
}

function judgeModule(module: string, name: string, found: KerasJudgement[]): void {
  const shown = `${showText(module)}.${showText(name)}`
  if (module === 'builtins' && plainTypes.has(name)) return
  const isKeras = kerasPackages.test(module)
  if (isKeras ? kerasFiles.test(`${module}.${name}`) && !/^[A-Z]/.test(name) : isDangerousImport(module, name)) {
    found.push({ id: 'keras-dangerous-import', says: `its configuration names ${shown}, which can run code or fetch files` })
  } else if (!isKeras) {
    found.push({ id: 'keras-unknown-import', says: `its configuration names ${shown}, which is not of Keras` })
  }
}

/** Of a configuration that is no JSON as a whole: what its text gives away. */
export function judgeKerasText(text: string): KerasJudgement[] {
  const code = /"(?:class_name|registered_name)"\s*:\s*"(?:[^"]*>)?(Lambda|__lambda__|TorchModuleWrapper)"/.exec(text)?.[1]
  return code ? [{ id: 'keras-code', says: `the model has a ${code}, which holds Python code` }] : []
}
