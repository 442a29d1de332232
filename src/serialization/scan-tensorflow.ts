import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import type { ByteSource } from '../io/byte-source.js'
import { type Field, ProtobufReader } from '../io/protobuf.js'
import type { FileScan } from './file-scan.js'

/** Operations that read or write files by name, or run Python. (Variables are restored by others; tables from assets too.) */
export const fileOperations = new Set(
  `ReadFile WriteFile MatchingFiles PyFunc PyFuncStateless EagerPyFunc ImmutableConst WholeFileReader WholeFileReaderV2 FixedLengthRecordReader
  FixedLengthRecordReaderV2 TextLineReader TextLineReaderV2 TFRecordReader TFRecordReaderV2 LMDBReader TextLineDataset FixedLengthRecordDataset
  FixedLengthRecordDatasetV2 TFRecordDataset TFRecordDatasetV2 DatasetToTFRecord ExperimentalDatasetToTFRecord SaveDataset SaveDatasetV2 LoadDataset
  SnapshotDataset SnapshotDatasetV2 CreateSummaryFileWriter CreateSummaryDbWriter DebugIdentity DebugIdentityV2 DebugIdentityV3 RpcCall RpcClient`.split(
    /\s+/,
  ),
)

type Visitors = Readonly<Record<number, (field: Field) => Promise<void>>>

/**
 * Scans a SavedModel (`saved_model.pb`) or a frozen graph (`.pb`) of TensorFlow for operations that reach files or run Python, in graphs and
 * in functions. Returns whether it is one: it has nodes. `expected`: its name says so.
 */
export async function scanTensorFlow(source: ByteSource, scan: FileScan, { expected }: { readonly expected: boolean }): Promise<boolean> {
  const reader = new ProtobufReader(source, showText(source.name, 300), scan.signal)
  let nodes = 0
  const found = new Map<string, number>()
  const each = (field: Pick<Field, 'start' | 'end'>, visitors: Visitors) =>
    reader.message(field.start, field.end, (inner) => (inner.wire === 'bytes' ? visitors[inner.number]?.(inner) : undefined))
  const node = async (field: Field): Promise<void> => {
    nodes++
    await each(field, {
      2: async (operation) => {
        const name = await reader.text(operation, 200)
        if (fileOperations.has(name) && !found.has(name)) found.set(name, operation.start)
      },
    })
  }
  const library = (field: Field) => each(field, { 1: (definition) => each(definition, { 3: node }) })
  const graph: Visitors = { 1: node, 2: library }
  const whole = { start: 0, end: source.byteLength }
  let problem: string | null = null
  try {
    // SavedModel: meta graphs in field 2, the graph of each in its field 2
    await each(whole, { 2: (meta) => each(meta, { 2: (definition) => each(definition, graph) }) })
  } catch (error) {
    if (!(error instanceof InputError && error.code === 'bad-protobuf')) throw error
    problem = error.message
  }
  if (nodes === 0 || problem) {
    try {
      await each(whole, graph)
      problem = null
    } catch (error) {
      if (!(error instanceof InputError && error.code === 'bad-protobuf')) throw error
    }
  }
  for (const [name, offset] of found) {
    scan.findings.add('tensorflow-file-operation', source.name, offset, `the graph has the operation ${showText(name)}`)
  }
  if (nodes === 0 && !expected) return false
  if (nodes === 0 || problem) {
    scan.findings.add('tensorflow-malformed', source.name, null, `the graph cannot be read: ${problem ?? 'it has no nodes'}`)
  }
  return true
}
