// The names that the browser's and Node's entry points share.
import { activationClustering as activationClusteringDetector } from './detectors/activation-clustering.js'
import { beatrix as beatrixDetector } from './detectors/beatrix.js'
import { alone } from './detectors/detector.js'
import { exreLite as exreLiteDetector } from './detectors/exre-lite.js'
import { knnAgreement as knnAgreementDetector } from './detectors/knn-agreement.js'
import { scan as scanDetector } from './detectors/scan.js'
import { spectralSignatures as spectralSignaturesDetector } from './detectors/spectral-signatures.js'
import { spectre as spectreDetector } from './detectors/spectre.js'
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
export type { BeatrixOptions } from './detectors/beatrix.js'
export type { ExreLiteOptions } from './detectors/exre-lite.js'
export type { KnnAgreementOptions } from './detectors/knn-agreement.js'
export type { ScanOptions } from './detectors/scan.js'
export type { SpectralSignaturesOptions } from './detectors/spectral-signatures.js'
export type { SpectreOptions } from './detectors/spectre.js'
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
export const spectralSignatures = /* @__PURE__ */ alone(spectralSignaturesDetector)

/** Activation clustering (Chen et al. 2018) over a set, outside an audit. */
export const activationClustering = /* @__PURE__ */ alone(activationClusteringDetector)

/** Whitened mixture: what varies in one class and in no other, split in two, over a set, outside an audit. */
export const whitenedMixture = /* @__PURE__ */ alone(whitenedMixtureDetector)

/** Exclusionary reclassification (Chen et al. 2018) with a linear head: where suspected rows belong, over a set, outside an audit. */
export const exreLite = /* @__PURE__ */ alone(exreLiteDetector)

/** SPECTRE (Hayase et al. 2021): QUE scores after robust whitening, over a set, outside an audit. */
export const spectre = /* @__PURE__ */ alone(spectreDetector)

/** SCAn (Tang et al. 2021): one group or two in each class, held against the other classes, over a set, outside an audit. */
export const scan = /* @__PURE__ */ alone(scanDetector)

/** kNN label agreement (Peri et al. 2020): the share of a row's neighbours with another label, over a set, outside an audit. */
export const knnAgreement = /* @__PURE__ */ alone(knnAgreementDetector)

/** Beatrix (Ma et al. 2023): Gram features that leave the bands of clean rows, over a set, outside an audit. */
export const beatrix = /* @__PURE__ */ alone(beatrixDetector)
