import { handMadeReport, handMadeSet, ranFinding, ranResult } from '../report/hand-made.js'

/** Stands for `src/node.ts` in a process that a test started; what it does is named by the path. */
export async function openAudit(path: string): Promise<string> {
  return path
}

export async function auditWithScores(path: unknown) {
  if (path === 'never-settles') await new Promise(() => {})
  if (path === 'waits') {
    process.stderr.write('waiting')
    await new Promise((resolve) => setTimeout(resolve, 60_000))
  }
  if (path === 'crashes') {
    setTimeout(() => {
      throw new Error('out of the blue\u001b[2J')
    }, 1)
    await new Promise((resolve) => setTimeout(resolve, 60_000))
  }
  const rows = path === 'large' ? 200_000 : 4
  const set = handMadeSet(new Int32Array(rows))
  const accused = Array.from({ length: rows }, (_, row) => row)
  const result = ranResult('spectral-signatures', accused, [ranFinding(accused)])
  return { report: handMadeReport(set, [result]), scores: new Float32Array(rows), detectorScores: new Map() }
}
