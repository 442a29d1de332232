import { describe, expect, it, test } from 'vitest'
import { auditWith } from '../src/audit.js'
import type { AuditOptions } from '../src/audit-options.js'
import { type ContextFactory, contextFactory } from '../src/context.js'
import type { Backend, Context, DeviceMatrix, Kernel, Progress } from '../src/core/backend.js'
import { dispose } from '../src/core/dispose.js'
import { BackendError, InputError, OptionError } from '../src/core/errors.js'
import { Rng } from '../src/core/rng.js'
import type { Witness, WitnessQuestion } from '../src/core/witness.js'
import { detectors } from '../src/detectors/index.js'
import type { Report } from '../src/report/schema.js'
import { backends, describeEachBackend } from './support/each-backend.js'
import { planted } from './support/planted.js'
import { trustedRows } from './support/trusted-rows.js'

const noGpu = contextFactory(async () => ({ gpu: null, reason: 'there is none in this test' }))
const { audit, auditWithScores } = auditWith(noGpu)
const ids = detectors.map(({ id }) => id)

const poisoned = planted({ seed: 1, rows: [150, 120, 90], features: 12, poison: { target: 1, rate: 0.15, shift: 12 } })
const trusted = trustedRows(poisoned, 40)
const plantedRows = Array.from(poisoned.poison.keys()).filter((row) => poisoned.poison[row])
const clean = planted({ seed: 2, rows: 60, classes: 3, features: 8 })

/** What two audits of the same data have in common, whatever the clock and the backend say. */
const lasting = ({ timings: _, backend: _backend, ...rest }: Report) => rest

const refusal = async (work: Promise<unknown>): Promise<Error & { code?: string }> => {
  try {
    await work
  } catch (error) {
    return error as Error
  }
  throw new Error('it was taken')
}

describe('options', () => {
  test('every bad field is named at once', async () => {
    const options = {
      backend: 'gpu',
      seed: 1.5,
      threads: 0,
      falseAccusationRate: 1,
      signal: {},
      onProgress: 3,
      memory: 1000,
      speed: 'fast',
      'x\u001b': 1,
    }
    const error = await refusal(audit(clean, options as unknown as AuditOptions))
    expect(error).toBeInstanceOf(OptionError)
    expect(error.code).toBe('bad-option')
    for (const name of ['backend', 'seed', 'threads', 'memory', 'falseAccusationRate', 'signal', 'onProgress', 'speed', 'x\\u{1b}']) {
      expect(error.message).toMatch(new RegExp(`^options: .*${name.replaceAll(/[\\{}]/g, '\\$&')}`, 'm'))
    }
  })

  test.each([null, 5, 'fast', []])('%o is no options', async (options) => {
    expect(await refusal(audit(clean, options as never))).toBeInstanceOf(OptionError)
  })

  test('unknown detectors and unknown or bad options of detectors are named at once', async () => {
    const error = await refusal(
      audit(clean, {
        detectors: ['spectral-signatures', 'nonsense'],
        detectorOptions: { 'spectral-signatures': { k: 0, minRow: 5 }, 'activation-clustering': { restarts: 'many' }, other: {} },
      }),
    )
    expect(error).toBeInstanceOf(OptionError)
    expect(error.message.split('\n')).toEqual([
      `detectors: got "nonsense", expected one of ${ids.join(', ')}`,
      `detectors: got "other", expected one of ${ids.join(', ')}`,
      'spectral-signatures: k: got 0, expected a number ≥ 1',
      'spectral-signatures: minRow: there is no such option; the README lists them',
      'activation-clustering: restarts: got "many", expected a value of type number',
    ])
  })

  test('an empty list of detectors is refused, not an audit that says nothing', async () => {
    expect((await refusal(audit(clean, { detectors: [] }))).message).toContain('got an empty list')
  })

  test('options that can change a result are recorded, defaults included', async () => {
    const report = await audit(clean, { seed: 9, threads: 3, detectorOptions: { 'spectral-signatures': { k: 2 } } })
    expect(report.seed).toBe(9)
    expect(report.options).toEqual({
      falseAccusationRate: 0.01,
      detectors: expect.objectContaining({
        'spectral-signatures': { variant: 'paper', k: 2, epsilon: 0.05, minRows: 20 },
        'activation-clustering': expect.objectContaining({ components: 10, restarts: 10, minRows: 20 }),
        'whitened-mixture': { directions: 30, logOdds: 0, minRows: 30, fitRows: 10_000 },
      }),
    })
    expect(Object.keys(report.options.detectors as object)).toEqual(ids)
  })

  test('detectors run in their own order, each once, whatever was asked for', async () => {
    const both = await audit(clean, { detectors: ['activation-clustering', 'spectral-signatures', 'activation-clustering'] })
    expect(both.detectors.map(({ id }) => id)).toEqual(['spectral-signatures', 'activation-clustering'])
    const one = await audit(clean, { detectors: ['activation-clustering'] })
    expect(Object.keys(one.options.detectors as object)).toEqual(['activation-clustering'])
  })
})

describeEachBackend('an audit', ({ name }) => {
  const open: ContextFactory = async (options, onShare) => {
    const backend = backends.find((one) => one.name === name)
    const context = (await backend?.open({ seed: options?.seed ?? 0, ...(options?.signal && { signal: options.signal }) })) as Context
    return { ...context, progress: onShare ?? (() => undefined) }
  }

  it('finds a group with a gap between it and the rest, flags its rows and no others', async () => {
    const { report, scores, detectorScores } = await auditWith(open).auditWithScores({ ...poisoned, trusted }, { seed: 3 })
    expect(report.verdict).toBe('poisoned')
    expect(report.classes.map(({ verdict }) => verdict)).toEqual(['clean', 'poisoned', 'clean'])
    expect([...report.rows.flagged].sort((a, b) => a - b)).toEqual(plantedRows)
    expect(scores).toHaveLength(360)
    expect(scores.every((score) => score >= 0 && score <= 1)).toBe(true)
    for (const own of detectorScores.values()) expect(own.every(Number.isFinite)).toBe(true)
  })

  it('without trusted rows cannot tell such a group from a natural one, and says so', async () => {
    const { verdict, classes } = await auditWith(open).audit(poisoned, { seed: 3 })
    expect(verdict).toBe('inconclusive')
    expect(classes.map((entry) => entry.verdict)).toEqual(['clean', 'inconclusive', 'clean'])
    expect(classes[1]?.evidence.find(({ detector }) => detector === 'whitened-mixture')?.says).toContain(
      'neither trusted rows nor the shape',
    )
  })

  it('gives the same report for the same seed, but for the clock', async () => {
    const bytes = async () => JSON.stringify({ ...(await auditWith(open).audit(poisoned, { seed: 4 })), timings: null })
    expect(await bytes()).toBe(await bytes())
  })
})

test('backends agree on verdicts and flagged rows', async () => {
  const reports = []
  for (const backend of backends) {
    const open: ContextFactory = async () => backend.open({ seed: 5 })
    reports.push(await auditWith(open).audit(poisoned, { seed: 5 }))
  }
  for (const report of reports) {
    expect(report.verdict).toBe(reports[0]?.verdict)
    expect([...report.rows.flagged].sort()).toEqual([...(reports[0]?.rows.flagged ?? [])].sort())
  }
})

test('detectors share the passes over rows that are read again, and find what each finds by itself', async () => {
  const set = planted({ seed: 9, rows: [3000, 2500, 2000], features: 40, poison: { target: 1, rate: 0.1, shift: 12 } })
  const { data, rows, cols } = set.activations
  const fitRows = 500
  const detectorOptions = Object.fromEntries(['whitened-mixture', 'exre-lite', 'spectre', 'scan'].map((id) => [id, { fitRows }]))
  let passes = 0
  const activations = {
    rows,
    cols,
    *blocks() {
      passes++
      yield data
    },
  }
  const run = async (wanted: string[]) => {
    passes = 0
    const how = { detectors: wanted, memory: 2 ** 20, seed: 3, detectorOptions }
    const { detectorScores, report } = await auditWith(noGpu).auditWithScores({ ...set, activations }, how)
    expect(report.backend.reason).toContain('every pass read them again')
    const evidence = report.classes.map((entry) => entry.evidence.filter(({ detector }) => wanted.includes(detector)))
    return { passes, detectorScores, statuses: report.detectors, evidence }
  }
  const together = await run(ids)
  const most: number[] = []
  for (const id of ids) {
    const own = await run([id])
    most.push(own.passes)
    expect(together.detectorScores.get(id)).toEqual(own.detectorScores.get(id))
    expect(together.statuses.filter((entry) => entry.id === id)).toEqual(own.statuses)
    expect(together.evidence.map((entries) => entries.filter(({ detector }) => detector === id))).toEqual(own.evidence)
  }
  // One pass uploads, in every audit.
  const apart = most.reduce((sum, own) => sum + own - 1, 1)
  expect(together.passes).toBe(Math.max(...most))
  expect(apart).toBeGreaterThan(2 * together.passes)
})

describe('progress', () => {
  test('never goes back, starts at nothing and reaches the total', async () => {
    const seen: Progress[] = []
    await audit(clean, { onProgress: (progress) => seen.push(progress) })
    const total = 100 * (1 + ids.length)
    expect(seen[0]).toEqual({ stage: 'upload', done: 0, total })
    expect(seen.at(-1)?.done).toBe(total)
    for (let i = 1; i < seen.length; i++) expect(seen[i]?.done).toBeGreaterThanOrEqual(seen[i - 1]?.done as number)
    expect([...new Set(seen.map(({ stage }) => stage))]).toEqual(['upload', ...ids])
  })

  test('what the callback throws ends the audit, and is no detector’s failure', async () => {
    for (const at of ['upload', ...ids]) {
      const error = new Error(`enough of ${at}`)
      let calls = 0
      const onProgress = ({ stage }: { stage: string }) => {
        if (stage === at && ++calls === 2) throw error
      }
      expect(await refusal(audit(clean, { onProgress }))).toBe(error)
    }
  })

  test('never goes back where the audit starts over', async () => {
    const seen: number[] = []
    await auditWith(failing({ at: 6 }).open).audit(clean, { onProgress: ({ done }) => seen.push(done) })
    expect(seen).toEqual([...seen].sort((a, b) => a - b))
    expect(seen.at(-1)).toBe(100 * (1 + ids.length))
  })
})

describe('abort', () => {
  test('before anything was done', async () => {
    expect(await refusal(audit(clean, { signal: AbortSignal.abort('enough') }))).toBe('enough')
  })

  test('in the middle: rejects with the reason within 200 ms, and nothing goes on', async () => {
    const big = planted({ seed: 6, rows: 4000, classes: 4, features: 96 })
    for (const after of [0, 20, 150, 400]) {
      const aborter = new AbortController()
      let context: Context | undefined
      const open: ContextFactory = async (...args) => {
        context = await noGpu(...args)
        return context
      }
      const work = refusal(auditWith(open).audit(big, { signal: aborter.signal }))
      let abortedAt = 0
      setTimeout(() => {
        abortedAt = performance.now()
        aborter.abort('enough')
      }, after)
      expect(await work).toBe('enough')
      expect(performance.now() - abortedAt).toBeLessThan(200)
      expect(context?.backend.liveBytes ?? 0).toBe(0)
    }
  })

  test('of a large audit, wherever it is: within 200 ms', async () => {
    const cases = [
      { set: planted({ seed: 6, rows: [20_000], features: 12 }), options: { projection: 'ica' } },
      { set: planted({ seed: 6, rows: [200, 200], features: 1500 }), options: {} },
    ]
    for (const { set, options } of cases) {
      for (const after of [100, 500, 1000, 1500]) {
        const aborter = new AbortController()
        let abortedAt = 0
        setTimeout(() => {
          abortedAt = performance.now()
          aborter.abort('enough')
        }, after)
        const how = { signal: aborter.signal, detectorOptions: { 'activation-clustering': options } }
        const ended = await auditWith(noGpu)
          .audit(set, how)
          .then(
            () => 'done',
            (error: unknown) => error,
          )
        if (ended === 'done') continue
        expect(ended).toBe('enough')
        expect(performance.now() - abortedAt).toBeLessThan(200)
      }
    }
  })

  test('of a set that is read again at every pass, whatever detector is at work: within 200 ms, and nothing is held', async () => {
    const set = planted({ seed: 6, rows: [9000, 8000, 7000], features: 40 })
    let aborted = 0
    for (const { id } of detectors) {
      for (const after of [10, 400]) {
        const aborter = new AbortController()
        let context: Context | undefined
        const open: ContextFactory = async (...args) => {
          context = await noGpu(...args)
          return context
        }
        let abortedAt = 0
        let begun = false
        const onProgress = ({ stage }: { stage: string }) => {
          if (begun || stage !== id) return
          begun = true
          setTimeout(() => {
            abortedAt = performance.now()
            aborter.abort('enough')
          }, after)
        }
        const ended = await auditWith(open)
          .audit(set, { signal: aborter.signal, memory: 2 ** 20, detectors: [id], onProgress })
          .then(
            () => 'done',
            (error: unknown) => error,
          )
        expect(context?.backend.liveBytes).toBe(0)
        if (ended === 'done') continue
        aborted++
        expect(ended).toBe('enough')
        expect(performance.now() - abortedAt, `${id} after ${after} ms`).toBeLessThan(200)
      }
    }
    expect(aborted).toBeGreaterThanOrEqual(detectors.length)
  }, 60_000)

  test('while rows are waited for that do not come: at once, and the source is told when it gives them', async () => {
    const aborter = new AbortController()
    let give: (() => void) | undefined
    let told = false
    const stalled = {
      rows: 3,
      cols: 1,
      async *blocks() {
        try {
          yield [1]
          await new Promise<void>((resolve) => {
            give = resolve
            setTimeout(() => aborter.abort('enough'), 20)
          })
          yield [2, 3]
        } finally {
          told = true
        }
      },
    }
    expect(await refusal(audit({ activations: stalled, labels: [0, 0, 0] }, { signal: aborter.signal }))).toBe('enough')
    expect(told).toBe(false)
    give?.()
    await new Promise((resolve) => setTimeout(resolve, 5))
    expect(told).toBe(true)
  })

  test('the signal’s own reason is thrown, also where it is an Error', async () => {
    const aborter = new AbortController()
    const reason = new TypeError('mine')
    const work = refusal(audit(poisoned, { signal: aborter.signal }))
    aborter.abort(reason)
    expect(await work).toBe(reason)
  })
})

/** A "GPU" that computes as the CPU does and whose `at`-th read (from 1) or whose kernel fails. */
function failing(how: { at?: number; kernel?: string; error?: () => Error }) {
  const seen = { reads: 0, opened: [] as string[], live: [] as (() => number)[] }
  const error = how.error ?? (() => new BackendError('device-lost', 'webgpu (toy): the device was lost'))
  const open: ContextFactory = async (options = {}, onShare) => {
    const context = await noGpu({ ...options, backend: 'cpu' }, onShare)
    const { backend } = context
    seen.opened.push(options.backend ?? 'auto')
    seen.live.push(() => backend.liveBytes)
    if (options.backend === 'cpu') return context
    const toy: Backend = {
      name: 'webgpu',
      adapter: 'toy',
      maxBindingBytes: backend.maxBindingBytes,
      get liveBytes() {
        return backend.liveBytes
      },
      upload: (matrix) => backend.upload(matrix),
      empty: (shape) => backend.empty(shape),
      run: <P>(kernel: Kernel<P>, inputs: Parameters<Backend['run']>[1], params: P, into?: DeviceMatrix) => {
        if (kernel.id === how.kernel) throw error()
        return backend.run(kernel, inputs, params, into)
      },
      read: async (matrix) => {
        const data = await backend.read(matrix)
        if (++seen.reads === how.at) throw error()
        return data
      },
      [dispose]: () => backend[dispose](),
    }
    return { ...context, backend: toy, choice: { name: 'webgpu', adapter: 'toy', reason: 'a GPU is there' } }
  }
  return { open, seen }
}

describe('a GPU that fails in the middle of a run', () => {
  test.each([1, 2, 5, 9])('at read %i: auto goes on on the CPU, to the same verdict and rows, and says why', async (at) => {
    const { open, seen } = failing({ at })
    const report = await auditWith(open).audit(poisoned, { seed: 3 })
    expect(seen.reads).toBe(at)
    expect(seen.opened).toEqual(['auto', 'cpu'])
    expect(report.backend).toEqual({
      name: 'cpu',
      adapter: expect.stringMatching(/^WASM SIMD/),
      reason: 'the GPU failed in mid-run, so the audit started over on the CPU: webgpu (toy): the device was lost',
    })
    expect(lasting(report)).toEqual(lasting(await audit(poisoned, { seed: 3, backend: 'cpu' })))
    expect(seen.live.map((bytes) => bytes())).toEqual([0, 0])
  })

  test('is not replaced where it was asked for by name', async () => {
    const { open, seen } = failing({ at: 2 })
    expect(await refusal(auditWith(open).audit(poisoned, { backend: 'webgpu' }))).toMatchObject({ code: 'device-lost' })
    expect(seen.opened).toEqual(['webgpu'])
    expect(seen.live.map((bytes) => bytes())).toEqual([0])
  })

  test('is not replaced after an abort', async () => {
    const aborter = new AbortController()
    const { open, seen } = failing({
      at: 3,
      error: () => {
        aborter.abort('enough')
        return new BackendError('device-lost', 'lost')
      },
    })
    expect(await refusal(auditWith(open).audit(poisoned, { signal: aborter.signal }))).toBe('enough')
    expect(seen.live.map((bytes) => bytes())).toEqual(seen.opened.map(() => 0))
  })
})

test('a detector that throws is reported as failed; the others run, and the verdict is not clean', async () => {
  const { open, seen } = failing({ kernel: 'kmeans-step', error: () => new Error('broken\u001b[2J') })
  const report = await auditWith(open).audit(clean)
  const failed = { id: 'activation-clustering', status: 'failed', reason: 'internal fault: broken\\u{1b}[2J' }
  expect(report.detectors).toEqual(ids.map((id) => (id === failed.id ? failed : { id, status: 'ran', reason: 'ran on all 3 classes' })))
  expect(report.verdict).toBe('inconclusive')
  expect(seen.live.map((bytes) => bytes())).toEqual([0])
})

describe('data at the edge', () => {
  const random = (rows: number, cols: number, seed = 1) => {
    const rng = new Rng(seed)
    return { data: Float32Array.from({ length: rows * cols }, () => rng.normal()), rows, cols }
  }

  /** Finite scores, one a row, and a report that says something of every class. */
  async function defined(set: Parameters<typeof audit>[0], options: AuditOptions = {}): Promise<Report> {
    const { report, scores, detectorScores } = await auditWithScores(set, options)
    expect(scores).toHaveLength(report.input.rows)
    expect(scores.every(Number.isFinite)).toBe(true)
    for (const own of detectorScores.values()) expect(own.every(Number.isFinite)).toBe(true)
    expect(report.detectors.every(({ status }) => status !== 'failed')).toBe(true)
    expect(report.classes).toHaveLength(report.input.classes)
    expect(() => JSON.stringify(report)).not.toThrow()
    return report
  }

  test('one class', async () => {
    expect((await defined({ activations: random(50, 6), labels: new Uint8Array(50) })).classes).toHaveLength(1)
  })

  test('one row in all, and one row a class: every class is skipped, which is inconclusive and never clean', async () => {
    for (const rows of [1, 30]) {
      const report = await defined({ activations: random(rows, 4), labels: Array.from({ length: rows }, (_, i) => i) })
      expect(report.verdict).toBe('inconclusive')
      expect(report.detectors.every(({ status }) => status === 'skipped')).toBe(true)
      expect(report.detectors[0]?.reason).toContain('has 1 row, needs at least 20')
    }
  })

  test.each([
    ['one feature', random(60, 1), 2],
    ['more features than rows', random(64, 90), 2],
    ['a large offset', { ...random(60, 5), data: random(60, 5).data.map((value) => value + 1e5) }, 2],
    ['tiny values', { ...random(60, 5), data: random(60, 5).data.map((value) => value * 1e-12) }, 2],
    ['large values', { ...random(60, 5), data: random(60, 5).data.map((value) => value * 1e12) }, 2],
    [
      'duplicate rows',
      { ...random(60, 5), data: Float32Array.from({ length: 300 }, (_, i) => ((i % 5) * (Math.floor(i / 5) % 3)) / 7) },
      2,
    ],
  ])('%s', async (_, activations, classes) => {
    const report = await defined({ activations, labels: Array.from({ length: activations.rows }, (_row, i) => i % classes) })
    expect(report.classes.every(({ evidence }) => evidence.length === ids.length)).toBe(true)
  })

  test('constant data are skipped, and the reason says so', async () => {
    const report = await defined({
      activations: { data: new Float32Array(200).fill(0.1), rows: 50, cols: 4 },
      labels: new Array(50).fill('a'),
    })
    expect(report.verdict).toBe('inconclusive')
    expect(report.detectors[0]).toMatchObject({ status: 'skipped', reason: expect.stringContaining('50 rows that are all equal') })
  })

  test('values whose squares leave the range of float32 are a failure that says what to do, not constant data', async () => {
    const { data, ...shape } = random(60, 5)
    const report = await audit({
      activations: { ...shape, data: data.map((value) => value * 1e25) },
      labels: Uint8Array.from({ length: 60 }, (_, i) => i % 2),
    })
    expect(report.verdict).toBe('inconclusive')
    // Detectors that take no products of activations in float32 may run.
    expect(report.detectors.slice(0, 3).map(({ status }) => status)).toEqual(['failed', 'failed', 'ran'])
    expect(report.detectors[0]?.reason).toContain('scale all activations down')
  })

  test('a thousand classes of three rows, and of twenty-five: an answer for each, in seconds', async () => {
    for (const [rows, verdict] of [
      [3, 'inconclusive'],
      [25, null],
    ] as const) {
      const began = performance.now()
      const report = await defined({ activations: random(1000 * rows, 8), labels: Array.from({ length: 1000 * rows }, (_, i) => i % 1000) })
      expect(report.classes).toHaveLength(1000)
      if (verdict) expect(report.verdict).toBe(verdict)
      expect(performance.now() - began).toBeLessThan(30_000)
    }
  })

  test('string labels, and labels of both kinds', async () => {
    const labels = Array.from({ length: 60 }, (_, i) => (i % 3 ? (i % 3 === 1 ? 'stop' : '60') : 60)) as string[]
    const report = await defined({ activations: random(60, 4), labels, classNames: { stop: 'Stop sign' } })
    expect(report.classes.map(({ label, name, rows }) => [label, name, rows])).toEqual([
      [60, '60', 20],
      ['60', '60', 20],
      ['stop', 'Stop sign', 20],
    ])
  })

  test('no rows, and a value that is not finite, are bad input, named by place', async () => {
    expect(await refusal(audit({ activations: random(0, 4), labels: [] }))).toBeInstanceOf(InputError)
    const { data, ...shape } = random(10, 4)
    data[7 * 4 + 2] = Number.NaN
    const error = await refusal(audit({ activations: { ...shape, data }, labels: new Uint8Array(10) }))
    expect(error).toBeInstanceOf(InputError)
    expect(error.message).toContain('activations: row 7, column 2 is NaN')
  })

  test('nothing that was passed in is changed', async () => {
    const before = structuredClone(clean)
    await audit(clean)
    expect(clean).toEqual(before)
  })
})

describe('a witness', () => {
  const answer = { inputs: 60, sent: 57, sentByMatched: 3, pValue: 1e-12, mark: 'a patch' }
  const witnessSaying = (said: object) => {
    const questions: WitnessQuestion[] = []
    const witness: Witness = {
      async ask(_, question) {
        questions.push(question)
        return said as never
      },
      record: async () => ({ model: 'abc' }),
    }
    return { witness, questions }
  }

  test('is asked about the suspected class alone, suspects against the rest, and what it says is evidence', async () => {
    const { witness, questions } = witnessSaying(answer)
    const report = await audit({ ...poisoned, trusted }, { witness })
    expect(questions.map(({ classIndex }) => classIndex)).toEqual([1])
    const [{ suspects, rest }] = questions as [WitnessQuestion]
    expect([...suspects, ...rest].sort((a, b) => a - b)).toEqual([...poisoned.labels.keys()].filter((row) => poisoned.labels[row] === 1))
    expect(plantedRows.filter((row) => suspects.includes(row)).length).toBeGreaterThan(0.9 * plantedRows.length)
    const evidence = report.classes.map((entry) => entry.evidence.filter(({ detector }) => detector === 'causal-test'))
    expect(evidence).toEqual([
      [],
      [
        {
          detector: 'causal-test',
          statistic: 0.9,
          pValue: 1e-12,
          threshold: null,
          says: 'a patch leads the model to this class on 57 of 60 inputs of other classes; the same of other rows of the class: 3',
        },
      ],
      [],
    ])
    expect(report.detectors.at(-1)).toEqual({
      id: 'causal-test',
      status: 'ran',
      reason: 'the model was asked about 1 suspected class and answered about 1',
    })
    expect(report.options.causalTest).toEqual({ model: 'abc' })
  })

  test('that does not answer changes nothing but what is said of it; one that is not asked changes nothing', async () => {
    const { witness, questions } = witnessSaying({ reason: 'the set has no pictures' })
    const without = lasting(await audit({ ...poisoned, trusted }))
    const { options, detectors: listed, ...rest } = lasting(await audit({ ...poisoned, trusted }, { witness }))
    expect({ ...without, options, detectors: listed }).toEqual({ ...rest, options, detectors: listed })
    expect(listed.at(-1)).toMatchObject({
      id: 'causal-test',
      status: 'skipped',
      reason: expect.stringContaining('class 1 because the set has no'),
    })
    expect(questions).toHaveLength(1)
    expect(lasting(await audit(clean, { witness }))).toEqual(lasting(await audit(clean)))
    expect(questions).toHaveLength(1)
  })
})
