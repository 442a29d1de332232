import { activationClustering } from './activation-clustering.js'
import { beatrix } from './beatrix.js'
import type { Detector } from './detector.js'
import { exreLite } from './exre-lite.js'
import { knnAgreement } from './knn-agreement.js'
import { scan } from './scan.js'
import { spectralSignatures } from './spectral-signatures.js'
import { spectre } from './spectre.js'
import { whitenedMixture } from './whitened-mixture.js'

/** Every detector, in the order in which an audit runs and reports them. */
export const detectors: readonly Detector<unknown>[] = [
  spectralSignatures,
  activationClustering,
  whitenedMixture,
  exreLite,
  spectre,
  scan,
  knnAgreement,
  beatrix,
]
