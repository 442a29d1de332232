import type { ActivationSetInput } from '../core/activation-set.js'
import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import {
  type AuditArrayName,
  type AuditColumns,
  type AuditSource,
  type AuditSources,
  auditArrayNames,
  readAuditArrays,
} from './audit-arrays.js'
import type { ByteSource } from './byte-source.js'
import { refuseFormat, sniffFormat } from './format.js'
import { openNpz } from './npz.js'
import { openSafetensors } from './safetensors.js'

/**
 * Reads an audit from one file, by its first bytes: a bundle (`.npz`, `.safetensors`, Parquet) with the names of an audit folder as keys
 * (`label` is taken for `labels`), or activations alone (`.npy`). `beside` is what lies elsewhere; it wins over what the bundle holds, which is then not read. Other keys
 * are ignored. `columns` names the keys of activations and labels where they have others.
 *
 * Throws `InputError`: `unsupported-format` for what is not read, `missing-array`, and what the readers throw.
 */
export async function loadAudit(source: ByteSource, beside: AuditSources = {}, columns: AuditColumns = {}): Promise<ActivationSetInput> {
  const where = showText(source.name, 300)
  const pick = (members: ReadonlyMap<string, AuditSource>, mend: string) => pickArrays(members, { beside, columns, where, mend })
  const format = await sniffFormat(source)
  switch (format) {
    case 'npy':
      return readAuditArrays({ ...beside, activations: source }, columns)
    case 'zip':
      return readAuditArrays(pick(await openNpz(source), 'save them under these keys with numpy.savez'), columns)
    case 'safetensors':
      return readAuditArrays(pick(await openSafetensors(source), 'save them under these keys with safetensors.numpy.save_file'), columns)
    case 'parquet': {
      // Loaded when it is needed: its decompressors are the largest part of all readers.
      const { openParquet } = await import('./parquet.js')
      return readAuditArrays(
        pick(await openParquet(source), 'write them as columns of these names, or name others (--activations-column, --label-column)'),
        columns,
      )
    }
    default:
      // a further bundle format is one more case here
      throw refuseFormat(format, where, 'an audit folder, a .npz, .safetensors or Parquet bundle or a .npy file with activations')
  }
}

interface PickOptions {
  readonly beside: AuditSources
  readonly columns: AuditColumns
  readonly where: string
  /** How to write such a bundle. */
  readonly mend: string
}

function pickArrays(members: ReadonlyMap<string, AuditSource>, { beside, columns, where, mend: write }: PickOptions): AuditSources {
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
    const mend = pickled ? 'this is a PyTorch file, whose pickle is never read; save the arrays with numpy.savez' : write
    const names = missing.map((name) => showText(name)).join(' and ')
    throw new InputError('missing-array', `${where}: holds ${listNames(keys)}, expected ${names} too; ${mend}`, { missing })
  }
  return sources
}

/** Names from a file or a folder for a message: the first few, and how many there are. */
export function listNames(names: readonly string[]): string {
  if (names.length === 0) return 'nothing'
  const shown = names.slice(0, 12).map((name) => showText(name, 60))
  return names.length > shown.length ? `${shown.join(', ')} and ${names.length - shown.length} more` : shown.join(', ')
}
