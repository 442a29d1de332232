import { InputError } from '../core/errors.js'
import type { LabelsInput } from '../core/labels.js'
import { showText } from '../core/untrusted-text.js'
import type { ByteSource } from '../io/byte-source.js'
import { csvRecords } from '../io/csv.js'
import { labelTextForm, readLabelText, readTextLabels } from '../io/label-text.js'

/** Columns that name the file of a picture; the first is that of the library `datasets`. */
const nameColumns = ['file_name', 'filename', 'file', 'image', 'path']
const labelColumns = ['label', 'labels', 'class', 'target']

/**
 * One label a picture out of a text beside them. A table (CSV) with a column of file names (`file_name`, `filename`, `file`, `image`, `path`) names the
 * pictures, in any order, and may name others too; any other text has a label a picture, in the order of their names.
 *
 * Throws `InputError` `missing-label` for a picture that the table does not name, `duplicate-name`, `row-count`, and what `readTextLabels` throws.
 */
export async function readPictureLabels(source: ByteSource, names: readonly string[], where: string): Promise<LabelsInput> {
  const text = await readLabelText(source, where)
  const labels =
    (labelTextForm(text, source.name) === 'csv' && byName(text, names, where)) || (await readTextLabels(source, where, labelColumns))
  if (labels.length === names.length) return labels
  const message = `${where}: has ${labels.length} labels, expected ${names.length}, one a picture; or name the pictures in a column file_name`
  throw new InputError('row-count', message, { got: labels.length, expected: names.length })
}

function byName(text: string, names: readonly string[], where: string): LabelsInput | null {
  const records = csvRecords(text, where)
  const header = records.next().value?.fields.map((name) => name.trim().toLowerCase()) ?? []
  const nameAt = header.findIndex((name) => nameColumns.includes(name))
  const labelAt = header.findIndex((name) => labelColumns.includes(name))
  if (nameAt < 0) return null
  if (labelAt < 0)
    throw new InputError('no-column', `${where}: names pictures, but has none of the columns ${labelColumns.join(', ')}; add one`)
  const labelOf = new Map<string, string>()
  for (const { fields } of records) {
    const name = fields[nameAt] ?? ''
    if (labelOf.has(name)) throw new InputError('duplicate-name', `${where}: names '${showText(name)}' twice, expected once; take one out`)
    labelOf.set(name, fields[labelAt] ?? '')
  }
  const labels = names.map((name) => {
    const label = labelOf.get(name)
    if (label) return label
    throw new InputError('missing-label', `${where}: has no label for '${showText(name)}', expected one for each picture; add it`, { name })
  })
  return labels.every((label) => /^-?\d{1,9}$/.test(label)) ? labels.map(Number) : labels
}
