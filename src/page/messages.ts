import type { BackendChoice, Progress } from '../core/backend.js'
import type { AuditArrayName } from '../io/audit-names.js'
import type { ReportView } from '../views/report-view.js'

/** What a file can be taken for. `activations` may be a bundle that holds the other arrays too. */
export type Role = AuditArrayName | 'images' | 'texts'

/** An array or a column that a file holds. */
export interface FoundArray {
  /** Its name there; empty for the one array of a `.npy`. */
  readonly key: string
  /** How many dimensions it has; null where that is not known. */
  readonly dimensions: number | null
  /** Size and type, for people; empty where they are not known. */
  readonly says: string
}

/** What a file is, by its first bytes. */
export interface SurveyedFile {
  readonly name: string
  readonly byteLength: number
  readonly kind: 'array' | 'bundle' | 'table' | 'other'
  /** The array of a `.npy`, the arrays of a bundle, or the columns of a table with labels. */
  readonly arrays: readonly FoundArray[]
  /** Why it cannot be read, where it cannot. */
  readonly problem: string | null
}

/** Which file is what, and which keys to take of it. */
export interface Selection {
  readonly files: Readonly<Partial<Record<Role, File>>>
  readonly columns: { readonly activations?: string | undefined; readonly labels?: string | undefined }
}

export interface Settings {
  readonly backend: 'auto' | 'webgpu' | 'cpu'
  readonly softwareAdapters: boolean
  readonly seed: number
  readonly falseAccusationRate: number
  /** Bytes that activations may take; null leaves it to the library. */
  readonly memory: number | null
}

/** What can be saved of an audit. */
export const exportKinds = ['html', 'json', 'rows', 'cleaned'] as const
export type ExportKind = (typeof exportKinds)[number]

export type ToWorker =
  | { readonly kind: 'choose-backend'; readonly settings: Settings }
  | { readonly kind: 'survey'; readonly files: readonly File[] }
  | { readonly kind: 'audit'; readonly selection: Selection; readonly settings: Settings }
  | { readonly kind: 'export'; readonly what: ExportKind }

export type FromWorker =
  | { readonly kind: 'backend'; readonly choice: BackendChoice }
  | { readonly kind: 'survey'; readonly files: readonly SurveyedFile[] }
  | { readonly kind: 'opened'; readonly rows: number; readonly features: number; readonly holds: readonly string[] }
  | { readonly kind: 'progress'; readonly progress: Progress }
  | { readonly kind: 'result'; readonly view: ReportView }
  | { readonly kind: 'file'; readonly name: string; readonly bytes: Blob }
  | { readonly kind: 'problem'; readonly message: string; readonly isInput: boolean }
