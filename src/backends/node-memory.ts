import { totalmem } from 'node:os'

/** Bytes of memory that this process may use: the machine's, or what a container allows. */
export function nodeMemory(): number {
  const allowed = process.constrainedMemory?.() ?? 0
  return allowed > 0 ? Math.min(allowed, totalmem()) : totalmem()
}
