import type { ActivationSetInput } from '../core/activation-set.js'
import { InputError } from '../core/errors.js'
import { type AuditArrayName, type AuditColumns, type AuditSources, auditArrayNames, readAuditArrays } from './audit-arrays.js'
import { blobSource } from './blob-source.js'
import type { ByteSource } from './byte-source.js'
import { listNames, loadAudit } from './load.js'
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
 * named as in an audit folder (`activations.npy`, `labels.npy`, …), at most one of a name; others are ignored, and so is `truth/`.
 *
 * The input has no `origin`: nothing is hashed here, and `audit` takes the digest of the arrays. Throws one `InputError` that names
 * everything that is missing or wrong; an abort throws the signal's reason.
 */
export async function openAudit(from: Blob | File | readonly File[] | URL, options: OpenAuditOptions = {}): Promise<ActivationSetInput> {
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
  for (const file of files) {
    const name = arrayOf(file)
    if (name === null || file.webkitRelativePath?.split('/').includes('truth')) continue
    if (sources[name]) {
      throw new InputError('duplicate-name', `${file.name}: was given twice, expected one file of that name; choose one folder`)
    }
    sources[name] = blobSource(file, file.name)
  }
  const missing = (['activations', 'labels'] as const).filter((name) => !sources[name])
  if (missing.length > 0) {
    const names = files.map(({ name }) => name)
    const expected = missing.map((name) => `${name}.npy`).join(' and ')
    throw new InputError('missing-array', `got ${listNames(names)}, expected ${expected} too; choose all files of the folder`, { missing })
  }
  return sources
}
