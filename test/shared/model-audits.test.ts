import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { float16ToFloat32Table } from '../../src/core/float16.js'
import { memorySource } from '../../src/io/byte-source.js'
import { readNpy } from '../../src/io/npy.js'
import { auditWithScores, openAudit } from '../../src/node.js'
import type { Report } from '../../src/report/schema.js'
import { runFake } from '../cli/fake-io.js'
import { sharedData } from '../support/shared-data.js'

// `assay audit model.onnx --data …` against `assay audit FOLDER`, where every input of the training set is there. One set and the
// detector that decides its verdict; `npm run bench:extract` has the other sets and all detectors.
const root = sharedData()
const detectors = 'whitened-mixture'
const scratch = mkdtempSync(join(tmpdir(), 'assay-model-audits-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

async function activationsOf(folder: string): Promise<{ data: Float32Array; cols: number; isHalf: boolean }> {
  const { dtype, shape, data } = await readNpy(memorySource('activations', readFileSync(join(folder, 'activations.npy'))), 'activations')
  const table = float16ToFloat32Table()
  const isHalf = dtype === 'float16'
  const values = isHalf ? Float32Array.from(data as Uint16Array, (bits) => table[bits] as number) : (data as Float32Array)
  return { data: values, cols: shape[1] as number, isHalf }
}

/** The greatest difference of a row by that row's greatest value. */
async function worstDifference(made: string, stored: string): Promise<{ worst: number; isHalf: boolean }> {
  const [mine, theirs] = [await activationsOf(made), await activationsOf(stored)]
  expect([mine.data.length, mine.cols]).toEqual([theirs.data.length, theirs.cols])
  let worst = 0
  for (let start = 0; start < theirs.data.length; start += theirs.cols) {
    let [largest, difference] = [0, 0]
    for (let i = start; i < start + theirs.cols; i++) {
      const value = theirs.data[i] as number
      largest = Math.max(largest, Math.abs(value))
      difference = Math.max(difference, Math.abs(value - (mine.data[i] as number)))
    }
    if (difference > 0) worst = Math.max(worst, difference / largest)
  }
  return { worst, isHalf: theirs.isHalf }
}

const decided = ({ verdict, classes, rows }: Report) => ({
  verdict,
  classes: classes.map(({ label, verdict }) => [label, verdict]),
  flagged: [...rows.flagged].sort((a, b) => a - b),
})

describe.skipIf(root === null)('a model and its data', () => {
  it.each(root ? ['A-fashion-badnets-10'] : ['(no shared data)'])(
    '%s: give the stored activations, and the verdict of the audit folder',
    async (name) => {
      const folder = join(root ?? '', name)
      let found: Awaited<ReturnType<typeof worstDifference>> | null = null
      const library = {
        auditWithScores,
        openAudit: (async (path, files) => {
          if (path !== folder) found = await worstDifference(path, folder)
          return openAudit(path, files)
        }) as typeof openAudit,
      }
      const audit = async (...argv: string[]) => {
        const run = await runFake(['audit', ...argv, '--detectors', detectors, '--backend', 'cpu', '--json', '-'], { library })
        expect(run.stderr).toBe('')
        return decided(JSON.parse(run.stdout))
      }
      const ofFolder = await audit(folder)
      expect(ofFolder.verdict).toBe('poisoned')
      expect(await audit(join(folder, 'model.onnx'), '--data', folder)).toEqual(ofFolder)
      const { worst, isHalf } = found as unknown as NonNullable<typeof found>
      expect(worst).toBeLessThan(isHalf ? 1e-3 : 1e-5)
    },
    240_000,
  )
})
