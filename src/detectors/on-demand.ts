import { detectBeatrix } from './detect-beatrix.js'
import { detectExreLite } from './detect-exre-lite.js'
import { detectKnnAgreement } from './detect-knn-agreement.js'
import { detectScan } from './detect-scan.js'
import { detectSpectre } from './detect-spectre.js'

/** What the detectors do that accuse no class by themselves: in one file, which a page loads when the first of them runs. */
export const onDemand = {
  beatrix: detectBeatrix,
  exreLite: detectExreLite,
  knnAgreement: detectKnnAgreement,
  scan: detectScan,
  spectre: detectSpectre,
}
