import { activationClustering } from './activation-clustering.js'
import type { Detector } from './detector.js'
import { spectralSignatures } from './spectral-signatures.js'
import { whitenedMixture } from './whitened-mixture.js'

/** Every detector, in the order in which an audit runs and reports them. */
export const detectors: readonly Detector<unknown>[] = [spectralSignatures, activationClustering, whitenedMixture]
