import { describe, expect, it } from 'vitest'
import type { ClassConclusion, ClassFinding, DetectorResult, RanFinding, SplitFinding } from '../../src/core/result.js'
import { logOddsAt } from '../../src/verdict/class-p-value.js'
import { concludeClasses } from '../../src/verdict/class-verdicts.js'
import { handMadeSet, ranFinding, ranResult, skippedFinding } from '../report/hand-made.js'

const rate = 0.01
const rowsOfClass = 40

/** Four of forty rows apart, trusted rows that say nothing either way, so that the p-value is the class's own; a source just named. */
const plain: SplitFinding = {
  attainable: [{ rows: 1, logOdds: 100 }],
  trusted: 0,
  source: { weight: 0.2, classIndex: 0 },
  agrees: { trusted: false, source: true },
  separation: 3,
  isTight: false,
  isHalf: false,
  suspects: Uint32Array.of(7, 3, 9, 1),
  posteriors: Float32Array.of(1, 0.75, 0.5, 0.25),
  share: { estimate: 0.1, low: 0.05, high: 0.2 },
}

function dividedWith(logOdds: number, split: Partial<SplitFinding> = {}): RanFinding {
  return ranFinding(null, { statistic: logOdds, split: { ...plain, ...split } })
}

/** A finding whose p-value is `p`. */
const divided = (p: number, split?: Partial<SplitFinding>) => dividedWith(logOddsAt(p), split)

/** What groups of 1 … 20 rows would reach. */
const attainable = (logOddsOf: (epsilon: number) => number): SplitFinding['attainable'] =>
  Array.from({ length: rowsOfClass / 2 }, (_, i) => ({ rows: i + 1, logOdds: logOddsOf((i + 1) / rowsOfClass) }))

const setOf = (classes: number) => handMadeSet(Array.from({ length: classes * rowsOfClass }, (_, row) => Math.floor(row / rowsOfClass)))

function conclude(...findings: ClassFinding[]): ClassConclusion[] {
  return concludeClasses(setOf(findings.length), [ranResult('divider', [], findings)], { falseAccusationRate: rate })
}

const concludeOne = (finding: ClassFinding) => conclude(finding)[0] as ClassConclusion
const verdicts = (conclusions: readonly ClassConclusion[]) => conclusions.map(({ verdict }) => verdict)

describe('a class that is accused', () => {
  it('is suspicious where a source can just be named, with its rows, their probabilities and its share', () => {
    const finding = divided(rate / 2)
    const { accusations, ...rest } = concludeOne(finding)
    expect(rest).toEqual({
      verdict: 'suspicious',
      pValue: expect.closeTo(rate / 2, 10),
      epsilon: plain.share,
      minDetectableEpsilon: 1.5 / 40,
      sourceClass: 0,
      says: null,
    })
    const planted = 1 / (1 + Math.exp(-finding.statistic))
    expect(accusations).toEqual([
      {
        detector: 'divider',
        reason:
          '4 rows of class 0 form a group of their own, with a gap between it and the rest; they resemble class 0 more than any other, and seem to be taken from it',
        rows: plain.suspects,
        probabilities: Float32Array.from(plain.posteriors, (posterior) => planted * posterior),
      },
    ])
  })

  it('is poisoned where trusted rows or the source agree, and not accused where nothing does', () => {
    const source = { weight: 0.9, classIndex: null }
    expect(concludeOne(divided(rate / 2, { agrees: { trusted: true, source: false } }))).toMatchObject({
      verdict: 'poisoned',
      accusations: [{ reason: expect.stringContaining('none or too few of the trusted rows lie there') }],
    })
    expect(concludeOne(divided(rate / 2, { source })).verdict).toBe('poisoned')
    expect(concludeOne(divided(rate / 2, { agrees: { trusted: false, source: false }, source }))).toMatchObject({
      verdict: 'inconclusive',
      says: expect.stringContaining('neither trusted rows nor the shape of another class'),
    })
  })

  it('names the class it was taken from only where that is sure', () => {
    const source = { weight: 0.9, classIndex: 1 }
    const [named] = conclude(divided(rate / 4, { source }), divided(1))
    expect(named).toMatchObject({ sourceClass: 1, accusations: [{ reason: expect.stringContaining('they resemble class 1') }] })
    const [unnamed] = conclude(divided(rate / 4, { source: { ...source, classIndex: null } }), divided(1))
    expect(unnamed?.sourceClass).toBeNull()
    expect(unnamed?.accusations[0]?.reason).not.toContain('resemble')
  })

  it('takes the source that another detector names where its shape names none', () => {
    const source = { weight: 0.9, classIndex: null }
    const dividing = ranResult('divider', [], [divided(rate / 4, { source }), divided(1)])
    const naming = ranResult('namer', [], [ranFinding(null, { sourceClass: 1 }), ranFinding(null, { sourceClass: 0 })])
    const conclude = (...results: DetectorResult[]) => concludeClasses(setOf(2), results, { falseAccusationRate: rate })
    expect(conclude(dividing, naming)).toMatchObject([{ sourceClass: 1 }, { verdict: 'clean', sourceClass: null }])
    const shaped = ranResult('divider', [], [divided(rate / 4), divided(1)])
    expect(conclude(shaped, naming)[0]?.sourceClass).toBe(plain.source?.classIndex)
    expect(conclude(dividing)[0]?.sourceClass).toBeNull()
  })

  it('is not accused after all where it falls into halves, unless trusted rows are missing from one', () => {
    expect(concludeOne(divided(rate / 2, { isHalf: true }))).toMatchObject({
      verdict: 'inconclusive',
      says: expect.stringContaining('two halves'),
      accusations: [],
      epsilon: { estimate: 0, low: 0, high: 0.2 },
    })
    expect(concludeOne(divided(rate / 2, { isHalf: true, agrees: { trusted: true, source: false } })).verdict).toBe('poisoned')
  })

  it('is accused, tight group or not', () => {
    expect(concludeOne(divided(rate / 2, { isTight: true, separation: 30 })).verdict).toBe('suspicious')
  })
})

describe("the model's testimony", () => {
  const strong = { inputs: 60, sent: 57, sentByMatched: 3, pValue: 1e-12, mark: 'a patch' }
  const hear = (finding: ClassFinding, testimony = strong, asked = 1) => {
    const results = [ranResult('divider', [], [finding])]
    const testimonies = new Map(Array.from({ length: asked }, (_, c) => [c, testimony] as const))
    return concludeClasses(setOf(1), results, { falseAccusationRate: rate, testimonies })[0] as ClassConclusion
  }
  const agrees = { trusted: false, source: false }

  it('agrees where nothing else does, and is carried into the conclusion', () => {
    expect(hear(divided(rate / 2, { agrees }))).toMatchObject({
      verdict: 'poisoned',
      accusations: [{ reason: expect.stringContaining('what sets them apart leads the model to the class on inputs of other classes') }],
      testimony: strong,
    })
    expect(hear(divided(rate / 2, { agrees, isHalf: true })).verdict).toBe('poisoned')
  })

  it('does not where it is weak, nor where its p-value does not hold for all classes that were asked about', () => {
    for (const weak of [
      { ...strong, sent: 30 },
      { ...strong, sentByMatched: 40 },
      { ...strong, pValue: 0.02 },
    ]) {
      expect(hear(divided(rate / 2, { agrees }), weak)).toMatchObject({ verdict: 'inconclusive', testimony: weak })
    }
    expect(hear(divided(rate / 2, { agrees }), { ...strong, pValue: 0.006 }).verdict).toBe('poisoned')
    expect(hear(divided(rate / 2, { agrees }), { ...strong, pValue: 0.006 }, 2).verdict).toBe('inconclusive')
  })

  it('accuses no class by itself: without a gap that the rate allows, the verdict stays', () => {
    for (const finding of [divided(2 * rate, { agrees }), divided(0.5, { agrees }), divided(1)]) {
      const { testimony, ...rest } = hear(finding)
      expect(testimony).toEqual(strong)
      expect(rest).toEqual(concludeOne(finding))
    }
  })
})

describe('a class that is not accused', () => {
  it('is clean, its share at most what would have been seen', () => {
    expect(concludeOne(divided(1, { attainable: attainable((epsilon) => (epsilon > 0.12 ? 100 : -100)) }))).toEqual({
      verdict: 'clean',
      pValue: expect.closeTo(1, 12),
      epsilon: { estimate: 0, low: 0, high: 7.5 / 40 },
      minDetectableEpsilon: 7.5 / 40,
      sourceClass: null,
      accusations: [],
      says: null,
    })
  })

  it('is multimodal where its parts lie six standard deviations apart', () => {
    expect(concludeOne(divided(1, { separation: 5.9 })).verdict).toBe('clean')
    expect(concludeOne(divided(1, { separation: 6.1 })).verdict).toBe('multimodal')
  })

  it('is not cleared where it is near to being accused', () => {
    const near = concludeOne(divided(2.9 * rate))
    expect(near).toMatchObject({ verdict: 'inconclusive', says: expect.stringContaining('too near'), accusations: [] })
    expect(near.epsilon).toEqual({ estimate: 0, low: 0, high: 0.2 })
    expect(concludeOne(divided(3.1 * rate)).verdict).toBe('clean')
    // Nor where its own p-value is low, and only the number of classes takes it away.
    const others = Array.from({ length: 99 }, () => divided(1))
    expect(conclude(divided(0.29 * rate), ...others)[0]?.verdict).toBe('inconclusive')
    expect(conclude(divided(0.31 * rate), ...others)[0]?.verdict).toBe('clean')
  })

  it('is not cleared where it falls into halves that may as well be poison', () => {
    expect(concludeOne(divided(0.049, { isHalf: true }))).toMatchObject({
      verdict: 'inconclusive',
      says: expect.stringContaining('two halves'),
    })
    expect(concludeOne(divided(0.051, { isHalf: true })).verdict).toBe('clean')
    expect(concludeOne(divided(0.049)).verdict).toBe('clean')
  })

  it('is not cleared where a tight group lies far away, unless trusted rows lie in it', () => {
    const far = { isTight: true, separation: 12 }
    expect(concludeOne(divided(1, far))).toMatchObject({ verdict: 'inconclusive', says: expect.stringContaining('near-duplicates') })
    expect(concludeOne(divided(1, { ...far, trusted: -2 })).verdict).toBe('multimodal')
    expect(concludeOne(divided(1, { ...far, isTight: false })).verdict).toBe('multimodal')
    expect(concludeOne(divided(1, { ...far, separation: 9 })).verdict).toBe('multimodal')
  })

  it('is clean where nothing could be divided, with no share that would have been seen', () => {
    const nothing = concludeOne(ranFinding(null, { statistic: -20, split: null }))
    expect(nothing).toMatchObject({ verdict: 'clean', minDetectableEpsilon: null, epsilon: { estimate: 0, low: 0, high: 1 } })
  })

  it('stays open where it was skipped, beside classes that were judged', () => {
    expect(conclude(skippedFinding(), divided(1), divided(rate / 3))).toMatchObject([
      { verdict: 'inconclusive', pValue: null, epsilon: null, minDetectableEpsilon: null, accusations: [] },
      { verdict: 'clean' },
      { verdict: 'suspicious' },
    ])
  })
})

describe('a second group that is not accused', () => {
  const far = (weight: number) => concludeOne(divided(1, { separation: 7, source: { weight, classIndex: null } }))

  it('is natural, but not where it has the very shape of another class', () => {
    expect(far(0.7).verdict).toBe('multimodal')
    expect(far(0.9)).toMatchObject({
      verdict: 'inconclusive',
      accusations: [],
      says: expect.stringContaining('the shape of another class'),
    })
  })

  it('nor where hardly any trusted rows lie in it', () => {
    const lacking = (trusted: number | null, separation: number) => concludeOne(divided(1, { separation, trusted })).verdict
    expect([lacking(null, 7), lacking(0.9, 7), lacking(1.1, 5)]).toEqual(['multimodal', 'multimodal', 'clean'])
    expect(concludeOne(divided(1, { separation: 7, trusted: 1.1 }))).toMatchObject({
      verdict: 'inconclusive',
      accusations: [],
      says: expect.stringContaining('hardly any trusted rows lie'),
    })
  })
})

describe('the smallest share that would be seen', () => {
  const slope = (from: number, to: number) => (epsilon: number) => from + (to - from) * epsilon
  const least = (logOddsOf: (epsilon: number) => number, classes: number) =>
    conclude(divided(1, { attainable: attainable(logOddsOf) }), ...Array.from({ length: classes - 1 }, () => divided(1)))[0]
      ?.minDetectableEpsilon

  it('is half as many again as the first count of rows whose log odds would be accused among so many classes, at most half', () => {
    for (const classes of [1, 3, 30]) {
      for (const best of [slope(-20, 60), slope(-3, 40), slope(0, 25)]) {
        const wanted = logOddsAt(rate / classes)
        const first = Array.from({ length: rowsOfClass / 2 }, (_, i) => (i + 1) / rowsOfClass).find((epsilon) => best(epsilon) >= wanted)
        expect(least(best, classes)).toEqual(first === undefined ? null : expect.closeTo(Math.min(1.5 * first, 0.5), 12))
      }
    }
    expect(least(slope(-20, 60), 3)).not.toBeNull()
  })

  it('grows with the number of classes', () => {
    expect(least(slope(-3, 40), 300) as number).toBeGreaterThan(least(slope(-3, 40), 1) as number)
  })

  it('is not known where not even half the class would be', () => {
    const conclusion = concludeOne(divided(1, { attainable: attainable(() => -5) }))
    expect(conclusion.minDetectableEpsilon).toBeNull()
    expect(conclusion.epsilon?.high).toBe(1)
  })
})

describe('several classes', () => {
  it('are adjusted for their number, and the second after the first for one less', () => {
    const two = (p: number) => verdicts(conclude(divided(p), divided(1), divided(1)))[0]
    expect([two(0.0033), two(0.0034)]).toEqual(['suspicious', 'inconclusive'])
    expect(verdicts(conclude(divided(0.0033), divided(0.0049), divided(1)))).toEqual(['suspicious', 'suspicious', 'clean'])
    expect(verdicts(conclude(divided(0.0034), divided(0.0049), divided(1)))).toEqual(['inconclusive', 'inconclusive', 'clean'])
  })

  it('are not made more by those that were skipped', () => {
    const skipped = Array.from({ length: 50 }, () => skippedFinding())
    const could = { attainable: attainable((epsilon) => 40 * epsilon - 3) }
    const [alone, among] = [conclude(divided(0.9 * rate, could)), conclude(divided(0.9 * rate, could), ...skipped)]
    expect(among[0]).toEqual(alone[0])
    expect(among[0]?.verdict).toBe('suspicious')
  })
})

describe('where no detector divides classes', () => {
  const results: DetectorResult[] = [
    { status: 'failed', id: 'broken', reason: 'internal fault', cause: null },
    { status: 'skipped', id: 'choosy', reason: 'one class only' },
    ranResult('first', [], [ranFinding([3, 1]), ranFinding(), skippedFinding()]),
    ranResult('second', [], [ranFinding([2]), ranFinding(), skippedFinding()]),
  ]
  const fallback = concludeClasses(setOf(3), results, { falseAccusationRate: rate })

  it('a detector’s own accusation makes a class suspicious, at no stated rate', () => {
    const reason = 'its activations stand apart'
    expect(fallback[0]).toEqual({
      verdict: 'suspicious',
      pValue: null,
      epsilon: null,
      minDetectableEpsilon: null,
      sourceClass: null,
      says: null,
      accusations: [
        { detector: 'first', reason, rows: Uint32Array.of(3, 1), probabilities: null },
        { detector: 'second', reason, rows: Uint32Array.of(2), probabilities: null },
      ],
    })
  })

  it('its silence clears none', () => {
    expect(verdicts(fallback.slice(1))).toEqual(['inconclusive', 'inconclusive'])
    expect(verdicts(concludeClasses(setOf(2), [], { falseAccusationRate: rate }))).toEqual(['inconclusive', 'inconclusive'])
  })

  it('and where one does, it alone decides', () => {
    const dividing = ranResult('divider', [], [divided(1), divided(rate / 3), skippedFinding()])
    const conclusions = concludeClasses(setOf(3), [...results, dividing], { falseAccusationRate: rate })
    expect(verdicts(conclusions)).toEqual(['clean', 'suspicious', 'inconclusive'])
  })
})
