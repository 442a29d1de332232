// The names that the browser's and Node's entry points share.
import { activationClustering as activationClusteringDetector } from './detectors/activation-clustering.js'
import { alone } from './detectors/detector.js'
import { spectralSignatures as spectralSignaturesDetector } from './detectors/spectral-signatures.js'
import { whitenedMixture as whitenedMixtureDetector } from './detectors/whitened-mixture.js'

export type { Audit, AuditWithScores, ScoredAudit } from './audit.js'
export type { AuditOptions, ContextOptions } from './audit-options.js'
export type { ContextFactory } from './context.js'
export type { RowBlocksInput } from './core/activation-rows.js'
export type { ActivationSetInput, Origin, RowImage, RowImages } from './core/activation-set.js'
export type { Backend, BackendChoice, Context, DeviceMatrix, Progress } from './core/backend.js'
export { AssayError, BackendError, DetectorError, InputError, OptionError } from './core/errors.js'
export type { Label, LabelsInput } from './core/labels.js'
export type { DenseInput, MatrixInput, StridedInput } from './core/matrix.js'
export type { ClassFinding, DetectorResult, RanFinding, SkippedFinding } from './core/result.js'
export type { ActivationClusteringOptions } from './detectors/activation-clustering.js'
export type { SpectralSignaturesOptions } from './detectors/spectral-signatures.js'
export type { WhitenedMixtureOptions } from './detectors/whitened-mixture.js'
export { renderJson } from './report/json.js'
export type { Report } from './report/schema.js'
export { renderTerminal } from './report/terminal.js'
export type { Relabelled } from './sanitize/decide-rows.js'
export type { SanitizeOptions } from './sanitize/options.js'
export type { SanitizeRecord } from './sanitize/record-schema.js'
export { type Sanitized, sanitize } from './sanitize/sanitize.js'
export { version } from './version.js'

/** Spectral signatures (Tran, Li & Madry 2018) over a set, outside an audit. */
export const spectralSignatures = alone(spectralSignaturesDetector)

/** Activation clustering (Chen et al. 2018) over a set, outside an audit. */
export const activationClustering = alone(activationClusteringDetector)

/** Whitened mixture: what varies in one class and in no other, split in two, over a set, outside an audit. */
export const whitenedMixture = alone(whitenedMixtureDetector)
