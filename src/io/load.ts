import type { ActivationSetInput } from '../core/activation-set.js'
import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import { type AuditArrayName, type AuditSources, auditArrayNames, readAuditArrays } from './audit-arrays.js'
import type { ByteSource } from './byte-source.js'
import { refuseFormat, sniffFormat } from './format.js'
import { openNpz } from './npz.js'

/**
 * Reads an audit from one file, by its first bytes: a bundle (`.npz`) with the names of an audit folder as keys, or activations alone
 * (`.npy`). `beside` is what lies elsewhere; it wins over what the bundle holds, which is then not read. Other keys are ignored.
 *
 * Throws `InputError`: `unsupported-format` for what is not read (yet), `missing-array`, and what the readers throw.
 */
export async function loadAudit(source: ByteSource, beside: AuditSources = {}): Promise<ActivationSetInput> {
  const where = showText(source.name, 300)
  const format = await sniffFormat(source)
  switch (format) {
    case 'npy':
      return readAuditArrays({ ...beside, activations: source })
    case 'zip':
      return readAuditArrays(pickArrays(await openNpz(source), beside, where))
    default:
      // a further bundle format is one more case here
      throw refuseFormat(format, where, 'an audit folder, a .npz bundle or a .npy file with activations')
  }
}

function pickArrays(members: ReadonlyMap<string, ByteSource>, beside: AuditSources, where: string): AuditSources {
  const sources: Partial<Record<AuditArrayName, ByteSource>> = {}
  for (const name of auditArrayNames) {
    const source = beside[name] ?? members.get(name)
    if (source) sources[name] = source
  }
  const missing = (['activations', 'labels'] as const).filter((name) => !sources[name])
  if (missing.length > 0) {
    const keys = [...members.keys()]
    const pickled = keys.some((key) => /(^|\/)data\.pkl$/.test(key))
    const mend = pickled
      ? 'this is a PyTorch file, whose pickle is never read; save the arrays with numpy.savez'
      : 'save them under these keys with numpy.savez'
    throw new InputError('missing-array', `${where}: holds ${listNames(keys)}, expected ${missing.join(' and ')} too; ${mend}`, { missing })
  }
  return sources
}

/** Names from a file or a folder for a message: the first few, and how many there are. */
export function listNames(names: readonly string[]): string {
  if (names.length === 0) return 'nothing'
  const shown = names.slice(0, 12).map((name) => showText(name, 60))
  return names.length > shown.length ? `${shown.join(', ')} and ${names.length - shown.length} more` : shown.join(', ')
}
