import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { auditWith } from '../../src/audit.js'
import { contextFactory } from '../../src/context.js'
import { openAudit } from '../../src/io/node-open-audit.js'
import { writeNpyFloat32 } from '../../src/io/npy.js'
import { reportSchema } from '../../src/report/schema.js'
import { smallSearch, smallSet } from '../support/disturbed-audit.js'
import { type Disturbance, disturbedGpu } from '../support/disturbed-gpu.js'
import { noWebGpu } from '../support/each-backend.js'
import { runFake } from './fake-io.js'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'assay-cli-'))
  const { data, rows, cols } = smallSet.activations
  await writeFile(join(folder, 'activations.npy'), writeNpyFloat32(data, [rows, cols]))
  await writeFile(join(folder, 'labels.json'), JSON.stringify([...smallSet.labels]))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

/** The command with the real library, on a GPU that is disturbed. */
const audit = (disturb: Disturbance, ...flags: string[]) => {
  const { auditWithScores } = auditWith(contextFactory(disturbedGpu(disturb).open))
  const { detectors } = smallSearch
  const settings = ['--set', 'activation-clustering.restarts=2', '--set', 'activation-clustering.components=2']
  const search = ['--detectors', detectors.join(), ...settings]
  const argv = ['audit', join(folder, 'activations.npy'), '--labels', join(folder, 'labels.json'), ...search, ...flags]
  return runFake(argv, { library: { openAudit, auditWithScores } })
}

const lost: Disturbance = { submitted: (nth, device) => nth === 20 && device.destroy() }
const broken: Disturbance = { shader: (nth, descriptor) => (nth === 3 ? { ...descriptor, code: 'nonsense' } : descriptor) }

describe.skipIf(noWebGpu !== null && process.env.REQUIRE_GPU !== '1')('assay audit on a GPU that fails in mid-run', () => {
  it.each([
    ['is lost', lost, /the device was lost \(destroyed\) after [a-z-]+ was submitted: .*; run it again, or pass --backend cpu/],
    ['refuses a shader', broken, /[a-z-]+: Error while parsing WGSL: .*; pass --backend cpu, or update the driver/],
  ])('and %s: asked for by name, it exits 69, says so in one line and writes none of the outputs', async (_, disturb, message) => {
    const outputs = ['--scores', join(folder, 'scores.npy'), '--detector-scores', join(folder, 'scores')]
    for (const json of [join(folder, 'report.json'), '-']) {
      const { code, stdout, stderr } = await audit(disturb, '--backend', 'webgpu', '--json', json, ...outputs)
      expect({ code, stdout }).toEqual({ code: 69, stdout: '' })
      expect(stderr).toMatch(/^assay: webgpu \(.+\): .*\n$/)
      expect(stderr).toMatch(message)
      expect((await readdir(folder)).sort()).toEqual(['activations.npy', 'labels.json'])
    }
  })

  it.each([
    ['is lost', lost, 'the device was lost (destroyed)'],
    ['refuses a shader', broken, 'Error while parsing WGSL'],
  ])('and %s: auto exits with the verdict’s code, and the report says that the GPU failed', async (_, disturb, why) => {
    const cpu = await audit({}, '--backend', 'cpu', '--json', '-')
    const { code, stdout, stderr } = await audit(disturb, '--backend', 'auto', '--software-adapters', '--json', '-')
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' })
    expect(cpu.code).toBe(1)
    const [report, expected] = [stdout, cpu.stdout].map((text) => reportSchema.parse(JSON.parse(text)))
    expect(report?.rows).toEqual(expected?.rows)
    expect(report?.classes).toEqual(expected?.classes)
    expect(report?.backend.name).toBe('cpu')
    expect(report?.backend.reason).toContain('the GPU failed in mid-run, so the audit started over on the CPU: webgpu (')
    expect(report?.backend.reason).toContain(why)

    const shown = await audit(disturb, '--backend', 'auto', '--software-adapters')
    expect(shown.code).toBe(1)
    expect(shown.stdout.replace(/\s+/g, ' ')).toContain('the GPU failed in mid-run, so the audit started over on the CPU')
  })
})
