export { AssayError, InputError } from '../core/errors.js'
export { type ByteSource, memorySource } from '../io/byte-source.js'
export type { ExamineModel, ModelFile } from './examine-model.js'
export { type FindingId, findingKinds } from './finding-kinds.js'
export { type ScanOptions, scanFile } from './scan-file.js'
export { renderScanHtml } from './scan-html.js'
export {
  type ModelExamination,
  type ScanClass,
  type ScanFinding,
  type ScanReport,
  type Severity,
  scanReportJsonSchema,
  scanReportSchema,
} from './scan-report.js'
export { toSarif } from './scan-sarif.js'
export { renderScanTerminal } from './scan-terminal.js'
