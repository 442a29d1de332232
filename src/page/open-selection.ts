import type { AuditInput } from '../io/audit-arrays.js'
import { blobSource } from '../io/blob-source.js'
import type { ByteSource } from '../io/byte-source.js'
import { loadAudit } from '../io/load.js'
import type { Role, Selection } from './messages.js'

/** Opens the files that were chosen: labels and the like come into memory, activations are read from the file at each pass. Throws `InputError`. */
export function openSelection({ files, columns }: Selection): Promise<AuditInput> {
  const sources = new Map<Role, ByteSource>()
  for (const [role, file] of Object.entries(files)) if (file) sources.set(role as Role, blobSource(file, file.name))
  const activations = sources.get('activations')
  if (!activations) throw new Error('unreachable: the page asks for activations first')
  sources.delete('activations')
  return loadAudit(activations, Object.fromEntries(sources), columns)
}
