import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { auditWithScores, openAudit } from '../../src/node.js'
import { noWebGpu } from '../support/each-backend.js'
import { scenarios, sharedData } from '../support/shared-data.js'

const root = sharedData()
const reason = root === null ? '(no shared data)' : noWebGpu !== null && process.env.REQUIRE_GPU !== '1' ? `(${noWebGpu})` : null

/** Largest difference over the range of the scores. */
function relativeDifference(a: Float32Array, b: Float32Array): number {
  let largest = 0
  let low = Number.POSITIVE_INFINITY
  let high = Number.NEGATIVE_INFINITY
  for (let i = 0; i < a.length; i++) {
    largest = Math.max(largest, Math.abs((a[i] as number) - (b[i] as number)))
    low = Math.min(low, a[i] as number)
    high = Math.max(high, a[i] as number)
  }
  return largest / (high - low)
}

/** With every detector where that takes seconds; on the others with those whose numbers come from the backend. */
const inFull = ['A-fashion-badnets-10', 'A-text-badnets-10', 'E-mnist-adaptive-blend']
const backendDetectors = ['spectral-signatures', 'activation-clustering']

describe.skipIf(reason !== null).each(root && reason === null ? scenarios(root) : [reason])('WebGPU and the CPU agree on %s', (name) => {
  it('scores to 1e-3 of their range, the same partitions, verdicts and flagged rows', async () => {
    const set = await openAudit(join(root ?? '', name as string))
    const options = inFull.includes(name as string) ? {} : { detectors: backendDetectors }
    const cpu = await auditWithScores(set, { ...options, backend: 'cpu' })
    const gpu = await auditWithScores(set, { ...options, backend: 'webgpu' })
    expect(gpu.report.backend.name).toBe('webgpu')
    for (const [id, scores] of cpu.detectorScores) {
      expect(relativeDifference(scores, gpu.detectorScores.get(id) as Float32Array), id).toBeLessThanOrEqual(1e-3)
    }
    const [onCpu, onGpu] = [cpu, gpu].map(({ detectorScores }) => detectorScores.get('activation-clustering') as Float32Array) as [
      Float32Array,
      Float32Array,
    ]
    const differ = [...onCpu.keys()].filter(
      (i) => (onCpu[i] as number) > 0 !== (onGpu[i] as number) > 0 && Math.abs(onCpu[i] as number) > 1e-4,
    )
    expect(differ, 'rows in another cluster, though not on the border').toEqual([])
    expect(gpu.report.verdict).toBe(cpu.report.verdict)
    expect(gpu.report.classes.map(({ label, verdict }) => ({ label, verdict }))).toEqual(
      cpu.report.classes.map(({ label, verdict }) => ({ label, verdict })),
    )
    expect([...gpu.report.rows.flagged].sort((a, b) => a - b)).toEqual([...cpu.report.rows.flagged].sort((a, b) => a - b))
  }, 300_000)
})
