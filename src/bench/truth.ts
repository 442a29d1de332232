import type { ActivationSet } from '../core/activation-set.js'
import { InputError } from '../core/errors.js'
import type { Label } from '../core/labels.js'
import { showText } from '../core/untrusted-text.js'

/** What `truth/` says of a set. No detector sees it. */
export interface Truth {
  /** The attack in words, null where truth.json does not say. */
  readonly attack: string | null
  /** `[n]`, non-zero where a row is poisoned. */
  readonly poisoned: Uint8Array
  /** The class whose label the poisoned rows bear; null for a clean set. */
  readonly target: TargetClass | null
}

export interface TargetClass {
  /** Index into the set's classes. */
  readonly index: number
  readonly label: Label
  readonly rows: number
  readonly poisonedRows: number
  /** ε: poisoned rows / all rows bearing the label, as truth.json rounds it where it says. */
  readonly epsilon: number
  /** The class that all poisoned rows were taken from; null where there is no single other one, or truth.json does not say. */
  readonly source: Label | null
}

/** What the files under `truth/` hold, before it is held against the set. */
export interface ToldTruth {
  readonly poisoned: Uint8Array
  readonly attack: string | null
  /** The target class's label; null where the file does not say. */
  readonly target: Label | null
  /** ε as the file has it; null where it does not say. */
  readonly epsilon: number | null
  /** The label that the poisoned rows bore; null where there is no single one, or the file does not say. */
  readonly source: Label | null
}

/** How far ε may be from what the mask says: it is written with a few digits. */
const epsilonDigits = 5e-4

/**
 * Holds what was told against the set. Where no target is told, it is the one label that all poisoned rows bear. `where` names the folder
 * in messages. Throws `InputError` `row-count` or `bad-truth` where mask, target and labels do not fit together.
 */
export function checkTruth(set: ActivationSet, given: ToldTruth, where: string): Truth {
  const { poisoned, attack, target: told, epsilon: toldEpsilon, source: toldSource } = given
  const rows = set.activations.rows
  if (poisoned.length !== rows) {
    throw new InputError('row-count', `${where}: poison_mask.npy has ${poisoned.length} entries, expected ${rows}, one for each row`)
  }
  const poisonedRows = new Uint32Array(set.classes.length)
  for (let row = 0; row < rows; row++) {
    const c = set.classOf[row] as number
    if (poisoned[row]) poisonedRows[c] = (poisonedRows[c] as number) + 1
  }
  const holding = [...poisonedRows.keys()].filter((c) => (poisonedRows[c] as number) > 0)
  if (holding.length === 0) return { attack, poisoned, target: null }
  // Label 7 and label "7" are the same class to whoever wrote truth.json by hand.
  const indexOf = (wanted: Label) => set.classes.findIndex(({ label }) => String(label) === String(wanted))
  const index = told === null ? holding.length === 1 && holding[0] : indexOf(told)
  if (index === false || index === undefined) {
    throw new InputError('bad-truth', `${where}: poisoned rows bear ${holding.length} labels; say in truth.json which is the "target"`)
  }
  if (index < 0 || poisonedRows[index] === 0) {
    throw new InputError('bad-truth', `${where}: truth.json names ${showText(told)} as target, but no poisoned row bears that label`)
  }
  const { label, rows: labelled } = set.classes[index] as ActivationSet['classes'][number]
  const ours = poisonedRows[index] as number
  const share = ours / labelled
  if (toldEpsilon !== null && !(toldEpsilon > 0 && Math.abs(toldEpsilon - share) <= epsilonDigits)) {
    throw new InputError('bad-truth', `${where}: truth.json has epsilon ${toldEpsilon}, but ${ours} of ${labelled} rows are poisoned`)
  }
  // Every row of the source may have become poison: its label is then no class of the set.
  const source = toldSource === null ? null : (set.classes[indexOf(toldSource)]?.label ?? toldSource)
  return {
    attack,
    poisoned,
    target: {
      index,
      label,
      rows: labelled,
      poisonedRows: ours,
      epsilon: toldEpsilon ?? share,
      source: source === label ? null : source,
    },
  }
}
