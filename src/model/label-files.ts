import { byCodePoints } from '../core/code-points.js'
import { type LabelsInput, toLabels } from '../core/labels.js'
import { writeNpy } from '../io/npy-writer.js'
import type { ExtractedFile } from './extracted-file.js'

/**
 * `labels.npy` (int32) of one label a row: whole numbers as they are; strings, or numbers that int32 does not hold, as indices into their list in
 * the order of code points, which is `class_names.json` then. Throws what `toLabels` throws.
 */
export function labelFiles(input: LabelsInput, where: string): ExtractedFile[] {
  const labels = toLabels(input, where)
  if (labels.every((label) => typeof label === 'number' && label === (label | 0))) return [labelsFile(labels as number[])]
  const names = [...new Set(labels.map(String))].sort(byCodePoints)
  const indexOf = new Map(names.map((name, index) => [name, index]))
  return [labelsFile(labels.map((label) => indexOf.get(String(label)) as number)), classNamesFile(names)]
}

export function labelsFile(labels: readonly number[]): ExtractedFile {
  return { name: 'labels.npy', bytes: writeNpy(Int32Array.from(labels), [labels.length]) }
}

export function classNamesFile(names: readonly string[]): ExtractedFile {
  return { name: 'class_names.json', bytes: new TextEncoder().encode(`${JSON.stringify(names, null, 2)}\n`) }
}
