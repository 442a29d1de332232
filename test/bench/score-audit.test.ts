import { expect, test } from 'vitest'
import { scoreAudit } from '../../src/bench/score-audit.js'
import { checkTruth } from '../../src/bench/truth.js'
import type { ClassConclusion } from '../../src/core/result.js'
import { handMadeReport, handMadeSet, ranFinding, ranResult } from '../report/hand-made.js'

//               rows 0 … 3 are of class a, 4 … 9 of class b, 10 and 11 of class c; 5 and 7 are poisoned
const set = handMadeSet([...'aaaabbbbbbcc'])
const poisoned = Uint8Array.of(0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0)
const truth = checkTruth(set, { poisoned, attack: null, target: 'b', epsilon: null, source: 'c' }, 'here')
const scores = Float32Array.of(0.1, 0.1, 0.1, 0.95, 0.1, 0.9, 0.4, 0.3, 0.2, 0.1, 0.1, 0.1)
const findings = [ranFinding(), ranFinding(), ranFinding()]

function conclusion(verdict: ClassConclusion['verdict'], rows: readonly number[] = [], rest: Partial<ClassConclusion> = {}) {
  const accusations = rows.length > 0 ? [{ detector: 'd', reason: 'apart', rows: Uint32Array.from(rows), probabilities: null }] : []
  const nothing = { pValue: null, epsilon: null, minDetectableEpsilon: null, sourceClass: null, says: null }
  return { ...nothing, verdict, accusations, ...rest }
}

function concluded(...conclusions: ClassConclusion[]) {
  return { report: handMadeReport(set, [ranResult('d', [...scores], findings)], { conclusions }), scores }
}

test('verdicts, rates and what sanitize leaves are held against the truth', () => {
  const target = conclusion('poisoned', [5, 6], {
    epsilon: { estimate: 0.3, low: 0.2, high: 0.4 },
    minDetectableEpsilon: 0.25,
    sourceClass: 2,
  })
  expect(scoreAudit(set, truth, concluded(conclusion('multimodal'), target, conclusion('clean')))).toEqual({
    withTrusted: false,
    verdict: 'poisoned',
    targetVerdict: 'poisoned',
    accused: ['b'],
    wronglyAccused: [],
    cleanClasses: { clean: 1, multimodal: 1, suspicious: 0, poisoned: 0, inconclusive: 0 },
    auroc: 7 / 8, // of 2 · 4 pairs, row 7 loses against row 6
    aurocOfAll: (9 + 8) / 20, // row 3 is above both, row 6 above row 7
    tpr: 0.5,
    fpr: 0.25,
    fprOfAll: 0.1,
    epsilon: { estimate: 0.3, low: 0.2, high: 0.4, covers: true },
    minDetectableEpsilon: 0.25,
    sourceLabel: 'c',
    sanitize: { outcome: 'cleaned', removedRows: 2, poisonedRows: 2, poisonLeft: 1, cleanLost: 1 },
  })
})

test('a class without poison that is accused counts as wrong, and its flagged rows as lost', () => {
  const cleared = conclusion('clean', [], { epsilon: { estimate: 0, low: 0, high: 0.3 }, minDetectableEpsilon: 0.3 })
  expect(scoreAudit(set, truth, concluded(conclusion('suspicious', [0, 1, 2]), cleared, conclusion('inconclusive')))).toMatchObject({
    ...{ verdict: 'suspicious', targetVerdict: 'clean', accused: ['a'], wronglyAccused: ['a'], tpr: 0, fpr: 0, fprOfAll: 0.3 },
    cleanClasses: { clean: 0, multimodal: 0, suspicious: 1, poisoned: 0, inconclusive: 1 },
    epsilon: { covers: false }, // 2 of 6 are more than 0.3
    sanitize: { outcome: 'cleaned', removedRows: 3, poisonLeft: 2, cleanLost: 3 },
  })
})

test('an undecided report cleans nothing, and a clean one has nothing to clean', () => {
  const open = concluded(conclusion('clean'), conclusion('inconclusive'), conclusion('clean'))
  expect(scoreAudit(set, truth, open)).toMatchObject({
    verdict: 'inconclusive',
    epsilon: null,
    sanitize: { outcome: 'undecided', poisonLeft: 2 },
  })
  const calm = concluded(conclusion('clean'), conclusion('clean'), conclusion('clean'))
  expect(scoreAudit(set, truth, calm)).toMatchObject({
    verdict: 'clean',
    sanitize: { outcome: 'unchanged', removedRows: 0, poisonLeft: 2 },
  })
})

test('a clean set has no figure that needs poison', () => {
  const clean = checkTruth(set, { poisoned: new Uint8Array(12), attack: null, target: null, epsilon: null, source: null }, 'here')
  const score = scoreAudit(set, clean, concluded(conclusion('clean'), conclusion('suspicious', [4]), conclusion('clean')))
  expect(score).toMatchObject({
    ...{ targetVerdict: null, auroc: null, aurocOfAll: null, tpr: null, fpr: null, epsilon: null, sourceLabel: null },
    ...{ fprOfAll: 1 / 12, wronglyAccused: ['b'], sanitize: { removedRows: 1, poisonedRows: 0, poisonLeft: 0, cleanLost: 1 } },
  })
})

test('scores of a target that no detector judged are not taken for chance', () => {
  const report = handMadeReport(set, [], { conclusions: set.classes.map(() => conclusion('inconclusive')) })
  expect(scoreAudit(set, truth, { report, scores: new Float32Array(12) })).toMatchObject({ auroc: null, aurocOfAll: null, tpr: 0 })
})
