import type { ByteSource } from '../io/byte-source.js'
import type { ModelExamination } from './scan-report.js'

/** A model file of the scan, by content. */
export interface ModelFile {
  /** Where it lies on disk; null for one that is only in memory. */
  readonly path: string | null
  /** Its name in findings. */
  readonly name: string
  readonly source: ByteSource
}

/**
 * Looks for a backdoor in the weights and the behaviour of a model. Gives null for a model that it does not know how to examine, which the
 * scan then says. Whoever starts a scan passes it in: the scanner of files knows nothing of networks.
 */
export type ExamineModel = (model: ModelFile, options: { readonly signal?: AbortSignal | undefined }) => Promise<ModelExamination | null>
