import { InputError } from '../core/errors.js'
import { type AuditColumns, type AuditInput, type AuditSources, readAuditArrays } from './audit-arrays.js'
import { type AuditArrayName, auditArrayNames, imageFileNames, textFileNames } from './audit-names.js'
import { blobSource } from './blob-source.js'
import type { ByteSource } from './byte-source.js'
import { listNames } from './list-names.js'
import { loadAudit } from './load.js'
import { type UrlOptions, urlSource } from './url-source.js'

/** What to look for where a file holds more than is wanted, and a signal for what is fetched. */
export interface OpenAuditOptions extends UrlOptions {
  /** The column or key of the labels in a bundle. */
  readonly labelColumn?: string | undefined
  /** The column or key of the activations in a bundle. */
  readonly activationsColumn?: string | undefined
}

/**
 * Reads an audit in a browser (or anywhere): from a bundle (`.npz`, `.safetensors`, Parquet) as a `File`, a `Blob` or a URL whose
 * server has ranges; or from the files of an audit folder, as an `<input>` or a drop gives them. Of several files those count that are
 * named as in an audit folder (`activations.npy`, `labels.npy`, `images.npz`, …), at most one of a name; others are ignored, and so is `truth/`.
 *
 * Labels and the like are in memory then; activations are read from the file at each pass of an audit, so that they may be larger than
 * memory. Throws one `InputError` that names everything that is missing or wrong, but for the values of the activations, which show in a
 * pass; an abort throws the signal's reason, in a pass too. The input has no `origin`: nothing is hashed here, and `audit` takes the
 * digest of the arrays.
 */
export async function openAudit(from: Blob | File | readonly File[] | URL, options: OpenAuditOptions = {}): Promise<AuditInput> {
  const columns: AuditColumns = { labels: options.labelColumn, activations: options.activationsColumn }
  if (from instanceof URL) return loadAudit(await urlSource(from, options), {}, columns)
  if (from instanceof Blob) return loadAudit(blobSource(from, nameOf(from)), {}, columns)
  const [only] = from
  if (only && from.length === 1 && arrayOf(only) === null) return openAudit(only, options)
  return readAuditArrays(pickFiles(from), columns)
}

function nameOf(blob: Blob): string {
  return 'name' in blob && typeof blob.name === 'string' && blob.name !== '' ? blob.name : 'the file'
}

/** Which array of an audit folder a file is, by its name. */
function arrayOf(file: File): AuditArrayName | null {
  return auditArrayNames.find((name) => file.name === (name === 'class_names' ? 'class_names.json' : `${name}.npy`)) ?? null
}

function pickFiles(files: readonly File[]): AuditSources {
  const sources: Partial<Record<AuditArrayName, ByteSource>> = {}
  const shown = new Map<string, ByteSource>()
  for (const file of files) {
    const name = arrayOf(file)
    const isShown = [...imageFileNames, ...textFileNames].some((candidate) => candidate === file.name)
    if ((name === null && !isShown) || file.webkitRelativePath?.split('/').includes('truth')) continue
    if ((name !== null && sources[name]) || shown.has(file.name)) {
      throw new InputError('duplicate-name', `${file.name}: was given twice, expected one file of that name; choose one folder`)
    }
    if (name === null) shown.set(file.name, blobSource(file, file.name))
    else sources[name] = blobSource(file, file.name)
  }
  const missing = (['activations', 'labels'] as const).filter((name) => !sources[name])
  if (missing.length > 0) {
    const names = files.map(({ name }) => name)
    const expected = missing.map((name) => `${name}.npy`).join(' and ')
    throw new InputError('missing-array', `got ${listNames(names)}, expected ${expected} too; choose all files of the folder`, { missing })
  }
  const first = (names: readonly string[]) => names.map((name) => shown.get(name)).find((source) => source !== undefined)
  return { ...sources, images: first(imageFileNames), texts: first(textFileNames) }
}
