import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import type { AuditSource } from './array-source.js'
import { type AuditColumns, type AuditInput, type AuditSources, readAuditArrays } from './audit-arrays.js'
import { type AuditArrayName, auditArrayNames } from './audit-names.js'
import { type Bundle, openBundle } from './bundle.js'
import type { ByteSource } from './byte-source.js'
import { refuseFormat, sniffFormat } from './format.js'
import { listNames } from './list-names.js'

/**
 * Reads an audit from one file, by its first bytes: a bundle (`.npz`, `.safetensors`, Parquet) with the names of an audit folder as keys
 * (`label` is taken for `labels`), or activations alone (`.npy`). Pictures and texts in a bundle are taken as `openBundle` finds them. `beside`
 * is what lies elsewhere; it wins over what the bundle holds, which is then not read. Other keys are ignored. `columns` names the keys of activations and labels where they have others.
 *
 * Throws `InputError`: `unsupported-format` for what is not read, `missing-array`, and what the readers throw.
 */
export async function loadAudit(source: ByteSource, beside: AuditSources = {}, columns: AuditColumns = {}): Promise<AuditInput> {
  const where = showText(source.name, 300)
  const format = await sniffFormat(source)
  if (format === 'npy') return readAuditArrays({ ...beside, activations: source }, columns)
  const bundle = await openBundle(source, format)
  if (bundle) return readAuditArrays(pickArrays(bundle, { beside, columns, where }), columns)
  throw refuseFormat(format, where, 'an audit folder, a .npz, .safetensors or Parquet bundle or a .npy file with activations')
}

interface PickOptions {
  readonly beside: AuditSources
  readonly columns: AuditColumns
  readonly where: string
}

function pickArrays(bundle: Bundle, { beside, columns, where }: PickOptions): AuditSources {
  const { members } = bundle
  const keyOf = (name: AuditArrayName) => (name === 'activations' || name === 'labels' ? columns[name] : undefined) ?? name
  const memberOf = (name: AuditArrayName) => members.get(keyOf(name)) ?? (keyOf(name) === 'labels' ? members.get('label') : undefined)
  const sources: Partial<Record<AuditArrayName, AuditSource>> = {}
  for (const name of auditArrayNames) {
    const source = beside[name] ?? memberOf(name)
    if (source) sources[name] = source
  }
  const missing = (['activations', 'labels'] as const).filter((name) => !sources[name]).map(keyOf)
  if (missing.length > 0) {
    const keys = [...members.keys()]
    const pickled = keys.some((key) => /(^|\/)data\.pkl$/.test(key))
    const mend = pickled ? 'this is a PyTorch file, whose pickle is never read; save the arrays with numpy.savez' : bundle.mend
    const names = missing.map((name) => showText(name)).join(' and ')
    throw new InputError('missing-array', `${where}: holds ${listNames(keys)}, expected ${names} too; ${mend}`, { missing })
  }
  return { ...sources, images: beside.images ?? bundle.images, texts: beside.texts ?? bundle.texts }
}
