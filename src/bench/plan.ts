import { detectors as registry } from '../detectors/index.js'
import { type DetectorOptions, type Selected, selectDetectors } from '../detectors/select.js'

/** What is told in a clean set, where there is no true share. */
const assumedEpsilon = 0.05

/** What an audit runs: the detectors with their own defaults. Throws one `OptionError` for everything that is wrong. */
export function planAudit(wanted: readonly string[] | undefined, given: DetectorOptions): Selected[] {
  return selectDetectors(registry, { wanted, given })
}

/**
 * The detectors to measure on a scenario whose poison share is `epsilon` (null: a clean one). Each runs as its paper has it: spectral
 * signatures and SPECTRE are told ε, activation clustering takes the smaller cluster for poison. `given` comes after that and wins. Throws one
 * `OptionError` for everything that is wrong.
 */
export function planBench(wanted: readonly string[] | undefined, given: DetectorOptions, epsilon: number | null): Selected[] {
  const defaults = {
    'spectral-signatures': { epsilon: epsilon ?? assumedEpsilon },
    'activation-clustering': { analysis: 'smaller' },
    spectre: { epsilon: epsilon ?? assumedEpsilon },
  }
  return selectDetectors(registry, { wanted, given, defaults })
}
