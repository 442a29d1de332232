import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import type { ByteSource } from '../io/byte-source.js'
import { buildScanReport } from './build-report.js'
import type { ExamineModel } from './examine-model.js'
import type { Beside } from './file-scan.js'
import { Findings } from './findings.js'
import type { NativeCodecs } from './native-codecs.js'
import { type ContentKind, scanContent, startScan } from './scan-content.js'
import { maxUnpackedInAll } from './scan-packed.js'
import type { ModelExamination, ScanReport } from './scan-report.js'

export interface ScanOptions {
  /** Examines the weights of the models that are found; without it the report says that they were not examined. */
  readonly examineModel?: ExamineModel | undefined
  readonly signal?: AbortSignal | undefined
}

/** One file of a scan. */
export interface ScannedFile {
  readonly source: ByteSource
  /** Where it lies on disk; null in memory. */
  readonly path: string | null
  /** For files that name others beside them. */
  readonly beside: Beside | null
  /** null where the platform has none. */
  readonly native: NativeCodecs | null
}

const maxMembers = 2 ** 17
const models: readonly ContentKind[] = ['onnx', 'safetensors', 'gguf', 'keras', 'tensorflow', 'pickle']

/**
 * Scans one file, from whatever bytes it is read: what it would run or reach when it is loaded. Nothing in it is loaded, unpickled or run.
 * What cannot be read or is not known is a finding; only reading itself failing throws (`InputError`), and the signal's reason when aborted.
 */
export function scanFile(source: ByteSource, options: ScanOptions = {}): Promise<ScanReport> {
  return scanAlone({ source, path: null, beside: null, native: null }, options)
}

/** The report on one file. */
export async function scanAlone(file: ScannedFile, options: ScanOptions): Promise<ScanReport> {
  const findings = new Findings()
  const examination = await scanOneFile(file, findings, options)
  return buildScanReport(findings, examination ? [examination] : [])
}

/** Adds what is found in a file to `findings`, and gives the examination of the model in it, if there is one. */
export async function scanOneFile(
  file: ScannedFile,
  findings: Findings,
  { examineModel, signal }: ScanOptions,
): Promise<ModelExamination | null> {
  const { source, path, beside, native } = file
  const scan = startScan({ findings, signal, native, beside, budget: { bytes: maxUnpackedInAll, members: maxMembers } })
  const kind = await scanContent(source, scan)
  if (!models.includes(kind)) return null
  try {
    const examined = (await examineModel?.({ path, name: source.name, source }, { signal })) ?? null
    if (examined === null) findings.add('model-not-examined', source.name, null, 'its weights were not examined for a backdoor')
    return examined
  } catch (error) {
    signal?.throwIfAborted()
    if (!(error instanceof InputError)) throw error
    findings.add('model-examination-failed', source.name, null, showText(error.message, 300))
    return null
  }
}
