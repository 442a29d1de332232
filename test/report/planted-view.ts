import { type ActivationSetInput, type RowImage, toActivationSet } from '../../src/core/activation-set.js'
import { Rng } from '../../src/core/rng.js'
import type { Report } from '../../src/report/schema.js'
import { handMadeReport, ranFinding, ranResult } from './hand-made.js'

export interface Planted {
  readonly report: Report
  readonly set: ActivationSetInput
  readonly scores: Float32Array
}

/** What names and texts are where they are an attacker's. */
export const hostile = {
  name: '\u202e<img src=x onerror=alert(1)></script><script>alert(2)</script>gnp.exe "\'&amp;',
  text: '</script><!--<script>alert(3)</script><iframe src="https://example.com">\u0000\u001b[2J\u2066',
}

/**
 * Two classes of 100 rows of 8 features. The 10 rows 100 … 109 of class 1 were taken from class 0: they lie apart, their pictures have
 * a white mark in rows 6 and 7 and columns 1 and 2, their texts a word.
 */
export function plantedView(classNames: readonly string[] = ['stop', '60 km/h'], more = ''): Planted {
  const rng = new Rng(2)
  const [rows, cols] = [200, 8]
  const isPlanted = (row: number) => row >= 100 && row < 110
  const data = Float32Array.from({ length: rows * cols }, (_, at) => {
    const row = Math.floor(at / cols)
    const centre = isPlanted(row) ? (at % cols === 3 ? 12 : 0) : row < 100 ? 0 : at % cols === 1 ? 6 : 0
    return centre + rng.normal()
  })
  const pictures = Array.from({ length: rows }, (_, row): RowImage => {
    const pixels = Uint8Array.from({ length: 300 }, () => Math.round(90 + 40 * rng.float()))
    for (const [x, y] of [[1, 6], [2, 6], [1, 7], [2, 7]] as const) if (isPlanted(row)) pixels.fill(255, 3 * (10 * y + x), 3 * (10 * y + x + 1)) // biome-ignore format: one mark
    return { kind: 'pixels', width: 10, height: 10, channels: 3, data: pixels }
  })
  const set: ActivationSetInput = {
    activations: { data, rows, cols },
    labels: Int32Array.from({ length: rows }, (_, row) => (row < 100 ? 0 : 1)),
    classNames,
    images: { count: rows, rows: null, read: async (picture) => pictures[picture] as RowImage },
    texts: Array.from({ length: rows }, (_, row) => `text of row ${row % 10}${isPlanted(row) ? ' xyzzy' : ''}${more}`),
  }
  const flagged = Array.from({ length: 10 }, (_, i) => 100 + i)
  return { set, ...reportOf(set, flagged, [null, flagged]) }
}

/** Rows of four features in equal classes, the first rows of class 0 flagged. */
export function manyRows(rows: number, { classes, flagged }: { classes: number; flagged: number }): Planted {
  const rng = new Rng(4)
  const set: ActivationSetInput = {
    activations: { data: Float32Array.from({ length: rows * 4 }, () => rng.normal()), rows, cols: 4 },
    labels: Int32Array.from({ length: rows }, (_, row) => row % classes),
  }
  const accused = Array.from({ length: flagged }, (_, i) => i * classes)
  return { set, ...reportOf(set, accused, [accused, ...new Array(classes - 1).fill(null)]) }
}

function reportOf(set: ActivationSetInput, flagged: readonly number[], accused: readonly (readonly number[] | null)[]) {
  const checked = toActivationSet(set)
  const isFlagged = new Set(flagged)
  const scores = Float32Array.from(checked.classOf, (_, row) => (isFlagged.has(row) ? 0.9 + (row % 7) / 100 : ((row * 7919) % 1000) / 2000))
  const made = handMadeReport(
    checked,
    [
      ranResult(
        'whitened-mixture',
        [...scores],
        accused.map((rows) => ranFinding(rows)),
      ),
    ],
    { scores },
  )
  const c = accused.findIndex((rows) => rows !== null)
  const classes = made.classes.map((entry, index) =>
    index === c
      ? {
          ...entry,
          verdict: 'poisoned' as const,
          pValue: 1e-6,
          epsilon: { estimate: 0.1, low: 0.06, high: 0.16 },
          sourceLabel: accused.length > 1 ? (made.classes[c === 0 ? 1 : 0]?.label ?? null) : null,
        }
      : entry,
  )
  const report: Report = { ...made, verdict: 'poisoned', classes }
  return { report, scores }
}
