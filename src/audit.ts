import { type AuditOptions, type ParsedAuditOptions, parseAuditOptions } from './audit-options.js'
import type { ContextFactory } from './context.js'
import { type ActivationSet, type ActivationSetInput, toActivationSet } from './core/activation-set.js'
import type { BackendChoice, Context, Progress } from './core/backend.js'
import { DeviceSet } from './core/device-set.js'
import { type HashOptions, type HashTools, hashedSet } from './core/digest.js'
import { dispose } from './core/dispose.js'
import { BackendError } from './core/errors.js'
import type { DetectorResult } from './core/result.js'
import type { Watch } from './core/shared-passes.js'
import { showText } from './core/untrusted-text.js'
import { detectOrFail } from './detectors/detector.js'
import { detectors as registry } from './detectors/index.js'
import { type Selected, selectDetectors } from './detectors/select.js'
import { buildReport, combinedScores } from './report/build.js'
import type { Report } from './report/schema.js'
import { concludeClasses } from './verdict/class-verdicts.js'
import { version } from './version.js'

export interface ScoredAudit {
  readonly report: Report
  /** `[n]` in [0, 1], comparable across classes; how it is made of the detectors' scores, `combinedScores` says. */
  readonly scores: Float32Array
  /** `[n]` by detector id, for the detectors that ran; higher is more suspicious. */
  readonly detectorScores: ReadonlyMap<string, Float32Array>
}

/**
 * Runs detectors over a set and gathers what they say into a report. Throws `InputError` (the data), `OptionError` (the options),
 * `BackendError` (a backend asked for by name is not to be had or failed) and, when aborted, the signal's reason. A detector that fails
 * for a reason of its own is reported as failed, not thrown.
 */
export type Audit = (set: ActivationSetInput, options?: AuditOptions) => Promise<Report>

/** An audit that also returns the scores of the rows. */
export type AuditWithScores = (set: ActivationSetInput, options?: AuditOptions) => Promise<ScoredAudit>

const unreachable = (): Promise<string> => Promise.reject(new Error('unreachable: files have digests of their own'))

/** Binds audits to a way of making contexts and to the platform's SHA-256: the browser's or Node's. */
export function auditWith(createContext: ContextFactory, tools: HashTools = {}): { audit: Audit; auditWithScores: AuditWithScores } {
  const auditWithScores: AuditWithScores = async (input, options = {}) => {
    const parsed = parseAuditOptions(options)
    const plan = selectDetectors(registry, { wanted: parsed.detectors, given: parsed.detectorOptions })
    parsed.signal?.throwIfAborted()
    const hashing = new AbortController()
    const abort = () => hashing.abort(parsed.signal?.reason)
    parsed.signal?.addEventListener('abort', abort)
    try {
      return await auditIn({ plan, createContext, hashing: { ...tools, signal: hashing.signal } }, input, parsed)
    } finally {
      parsed.signal?.removeEventListener('abort', abort)
      hashing.abort() // where something failed, nobody wants the digest any more
    }
  }
  return { auditWithScores, audit: async (set, options) => (await auditWithScores(set, options)).report }
}

interface Setting {
  readonly plan: readonly Selected[]
  readonly createContext: ContextFactory
  readonly hashing: HashOptions
}

async function auditIn(
  { plan, createContext, hashing }: Setting,
  input: ActivationSetInput,
  parsed: ParsedAuditOptions,
): Promise<ScoredAudit> {
  const given = toActivationSet(input, { unchecked: true })
  // Files were hashed as they were read.
  const { set, digest } = given.origin ? { set: given, digest: unreachable } : hashedSet(given, hashing)
  // Where it does not come from reading it begins now, beside all that follows. Why it fails shows below, where it is waited for.
  if (!given.origin && set === given) digest().catch(() => undefined)
  const progress = progressOver(plan, parsed.onProgress)
  const { choice, results, timings } = await runWithFallback(set, plan, { options: parsed, createContext, progress })
  const origin = typeof set.origin === 'function' ? await set.origin() : set.origin
  const ran = results.flatMap((result) => (result.status === 'ran' ? [[result.id, result.scores] as const] : []))
  const scores = combinedScores(set, results)
  const { conclusions, hearing } = await conclude(set, results, parsed)
  const built = buildReport({
    set,
    results,
    scores,
    conclusions,
    hearing,
    choice,
    tool: { name: 'assay', version },
    seed: parsed.seed,
    options: {
      falseAccusationRate: parsed.falseAccusationRate,
      detectors: Object.fromEntries(plan.map(({ detector, options: own }) => [detector.id, own])),
      ...(hearing && { causalTest: hearing.record }),
    },
    digest: origin?.digest ?? '',
    files: origin?.files ?? [],
    timings: { readMs: origin?.readMs ?? 0, ...timings },
  })
  // What is hashed meanwhile is waited for last.
  const report = origin ? built : { ...built, input: { ...built.input, digest: await digest() } }
  parsed.signal?.throwIfAborted()
  return { report, scores, detectorScores: new Map(ran) }
}

/** Concludes from the detectors and, where a class is suspected and there is a witness, again from what that says. */
async function conclude(
  set: ActivationSet,
  results: readonly DetectorResult[],
  { falseAccusationRate, witness, signal }: ParsedAuditOptions,
) {
  const conclusions = concludeClasses(set, results, { falseAccusationRate })
  if (!witness) return { conclusions, hearing: null }
  const { hearingInWords, hearWitness } = await import('./verdict/hear-witness.js')
  const heard = await hearWitness(set, witness, { results, conclusions, signal })
  if (!heard) return { conclusions, hearing: null }
  const { testimonies } = heard
  return {
    conclusions: testimonies.size > 0 ? concludeClasses(set, results, { falseAccusationRate, testimonies }) : conclusions,
    hearing: { ...hearingInWords(set, heard), record: await witness.record() },
  }
}

interface Run {
  readonly options: ParsedAuditOptions
  readonly createContext: ContextFactory
  readonly progress: {
    /** Reading begins, for the first time or over again. */
    begin(): void
    /** Share of the reading that is done. */
    uploaded(share: number): void
    /** Share of a detector's work that is done. */
    detected(index: number, share: number): void
    finish(): void
    /** Throws what the caller's callback threw, which a detector may have taken for a failure of its own. */
    rethrow(): void
  }
}

interface Ran {
  readonly choice: BackendChoice
  readonly results: readonly DetectorResult[]
  readonly timings: { readonly computeMs: number; readonly detectors: Readonly<Record<string, number>> }
}

/** A GPU that `auto` took and that fails is replaced by the CPU, which starts over; one that was asked for by name is not. */
async function runWithFallback(set: ActivationSet, plan: readonly Selected[], run: Run): Promise<Ran> {
  const { backend, softwareAdapters, threads, seed, signal, memory } = run.options
  using context = await run.createContext({ backend, softwareAdapters, threads, seed, signal, memory }, run.progress.uploaded)
  try {
    return await runDetectors(context, set, plan, run)
  } catch (error) {
    if (!(error instanceof BackendError) || backend !== 'auto' || context.choice.name !== 'webgpu') throw error
    context[dispose]() // Whatever the GPU still holds goes before the CPU begins.
    using cpu = await run.createContext({ backend: 'cpu', threads, seed, signal, memory }, run.progress.uploaded)
    const ran = await runDetectors(cpu, set, plan, run)
    return {
      ...ran,
      choice: { ...ran.choice, reason: `the GPU failed in mid-run, so the audit started over on the CPU: ${showText(error.message, 300)}` },
    }
  }
}

async function runDetectors(context: Context, input: ActivationSet, plan: readonly Selected[], { progress }: Run): Promise<Ran> {
  progress.begin()
  using set = await DeviceSet.upload(
    context,
    input,
    plan.flatMap(({ detector }) => detector.early ?? []),
  )
  const began = performance.now()
  const elapsedMs: Record<string, number> = {}
  const results = await set.each(
    plan.map(({ detector, options }, index) => ({
      context: { ...context, progress: (share: number) => progress.detected(index, share) },
      watch: stopwatch((ms) => {
        elapsedMs[detector.id] = (elapsedMs[detector.id] ?? 0) + ms
      }),
      async work(own: DeviceSet) {
        progress.detected(index, 0)
        const result = await detectOrFail(own.context, own, { detector, options })
        progress.rethrow()
        progress.detected(index, 1)
        return result
      },
    })),
  )
  const computeMs = performance.now() - began
  progress.finish()
  return {
    choice: set.isReadAgain ? { ...context.choice, reason: `${context.choice.reason}; ${whyReadAgain(set)}` } : context.choice,
    results,
    timings: { computeMs, detectors: elapsedMs },
  }
}

/** Adds up the milliseconds between starts and stops. */
function stopwatch(add: (ms: number) => void): Watch {
  let began = 0
  return {
    start() {
      began = performance.now()
    },
    stop: () => add(performance.now() - began),
  }
}

function whyReadAgain({ rows, paddedCols, rowsPerBlock, context }: DeviceSet): string {
  const mebibytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(bytes < 2 ** 24 ? 1 : 0)} MiB`
  const needed = mebibytes(rows * paddedCols * 4)
  return `the activations need ${needed} and may take ${mebibytes(context.memory)}, so every pass read them again, in blocks of ${rowsPerBlock} rows`
}

/** One count over all stages that never goes back, also when the work starts over on another backend. */
function progressOver(plan: readonly Selected[], report: ((progress: Progress) => void) | undefined): Run['progress'] {
  const unitsPerStage = 100
  const total = (plan.length + 1) * unitsPerStage
  /** Of the upload, then of every detector. */
  const shares = new Float64Array(plan.length + 1)
  let stage = 'upload'
  let done = 0
  let thrown: { readonly error: unknown } | null = null
  const advance = (to: number) => {
    done = Math.max(done, Math.min(total, Math.round(to)))
    try {
      report?.({ stage, done, total })
    } catch (error) {
      thrown = { error }
      throw error
    }
  }
  const share = (index: number, value: number) => {
    shares[index] = Math.max(shares[index] as number, value)
    advance(shares.reduce((sum, one) => sum + one, 0) * unitsPerStage)
  }
  return {
    begin: () => {
      shares.fill(0)
      stage = 'upload'
      advance(0)
    },
    uploaded: (value) => share(0, value),
    detected: (index, value) => {
      shares[0] = 1
      stage = (plan[index] as Selected).detector.id
      share(index + 1, value)
    },
    finish: () => advance(total),
    rethrow: () => {
      if (thrown) throw thrown.error
    },
  }
}
