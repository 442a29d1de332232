import type { Poisoned } from './attack.js'

/**
 * What `truth/truth.json` of a poisoned data folder says: plain values, ready for `JSON.stringify`. Where the poisoned rows bear several
 * labels, `target` is the one with the most of them (the smallest of equals), so that a bench has a class to look at, and `targets` lists
 * all; `epsilon` is always that of `target`, by the labels as they are now.
 */
export function truthJson({ labels, truth }: Poisoned): Record<string, unknown> {
  const poisoned = new Map<number, number>()
  for (let row = 0; row < labels.length; row++) {
    const label = labels[row] as number
    if (truth.poison[row]) poisoned.set(label, (poisoned.get(label) ?? 0) + 1)
  }
  const byCount = [...poisoned].sort(([a, many], [b, more]) => more - many || a - b)
  const [target = null, ofTarget = 0] = byCount[0] ?? []
  const bearing = labels.reduce((count, label) => count + (label === target ? 1 : 0), 0)
  const covers = truth.cover?.reduce((sum, value) => sum + value, 0) ?? 0
  const poisons = truth.poison.reduce((sum, value) => sum + value, 0)
  return {
    attack: truth.title,
    attack_id: truth.attack,
    source: truth.source,
    target,
    ...(byCount.length > 1 && { targets: byCount.map(([label]) => label).sort((a, b) => a - b) }),
    trigger: truth.trigger,
    rate: truth.rate,
    rate_of: truth.rateOf,
    epsilon: ofTarget / bearing,
    n_poison: poisons,
    ...(truth.cover && { n_cover: covers, cover_rate_of_all: truth.coverRate }),
    poison_share_of_all: poisons / labels.length,
    seed: truth.seed,
    options: truth.options,
  }
}
