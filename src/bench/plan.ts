import { detectors as registry } from '../detectors/index.js'
import { type DetectorOptions, type Selected, selectDetectors } from '../detectors/select.js'

/** What the paper of spectral signatures is told in a clean set, where there is no true share. */
const assumedEpsilon = 0.05

/**
 * The detectors to measure on a scenario whose poison share is `epsilon` (null: a clean one). Each runs as its paper has it: spectral
 * signatures is told ε, activation clustering takes the smaller cluster for poison. `given` comes after that and wins. Throws one
 * `OptionError` for everything that is wrong.
 */
export function planBench(wanted: readonly string[] | undefined, given: DetectorOptions, epsilon: number | null): Selected[] {
  const defaults = {
    'spectral-signatures': { epsilon: epsilon ?? assumedEpsilon },
    'activation-clustering': { analysis: 'smaller' },
  }
  return selectDetectors(registry, { wanted, given, defaults })
}
