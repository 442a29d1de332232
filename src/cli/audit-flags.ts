import type { Command } from 'commander'
import type { AuditOptions } from '../audit-options.js'
import type { AuditFiles } from '../node.js'
import { byteSize, detectorList, detectorSetting, oneOf, type Setting, settingsByDetector, share, text, wholeNumber } from './values.js'

const backends = ['auto', 'webgpu', 'cpu'] as const

/** How an audit is made. */
export interface AuditFlags {
  readonly detectors?: readonly string[]
  readonly set?: readonly Setting[]
  readonly backend: (typeof backends)[number]
  readonly softwareAdapters?: true
  readonly threads?: number
  readonly memory?: number
  readonly seed?: number
  readonly falseAccusationRate?: number
}

/** Where its arrays lie. */
export interface FileFlags {
  readonly labels?: string
  readonly predictions?: string
  readonly logits?: string
  readonly trusted?: string
  readonly trustedLabels?: string
  readonly classNames?: string
  readonly images?: string
  readonly texts?: string
  readonly labelColumn?: string
  readonly activationsColumn?: string
}

/** Adds the flags of `AuditFlags`. */
export function addAuditFlags(command: Command): Command {
  return command
    .option('--detectors <a,b>', 'detectors to run (default: all)', detectorList)
    .option('--set <ID.OPTION=VALUE>', "set a detector's option; may be repeated", detectorSetting)
    .option('--backend <NAME>', 'where to compute: auto, webgpu or cpu', oneOf(backends), 'auto')
    .option('--software-adapters', 'let WebGPU take an adapter that is only software (slow)')
    .option(
      '--threads <N>',
      'threads of the CPU path; no result depends on it (default: as many as the machine runs at a time)',
      wholeNumber(1, 1024),
    )
    .option(
      '--memory <SIZE>',
      'memory that the activations may take, such as 512M or 2G; larger sets are read block by block (default: a quarter of the machine, at most 4G)',
      byteSize,
    )
    .option('--seed <N>', 'seed of all random numbers', wholeNumber(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER))
    .option(
      '--false-accusation-rate <A>',
      'chance that a clean set is accused, between 0 and 1 (no effect in this version, whose verdicts are not calibrated)',
      share,
    )
}

/** Adds the flags of `FileFlags`. */
export function addFileFlags(command: Command): Command {
  return command
    .option('--labels <FILE>', 'labels that lie elsewhere (.npy, CSV, JSON or JSON lines)', text)
    .option('--predictions <FILE>', "the model's predictions that lie elsewhere", text)
    .option('--logits <FILE>', 'logits that lie elsewhere', text)
    .option('--trusted <FILE>', 'activations of rows known to be clean that lie elsewhere', text)
    .option('--trusted-labels <FILE>', 'their labels', text)
    .option('--class-names <FILE>', 'names of the classes (JSON) that lie elsewhere', text)
    .option('--images <FILE>', 'pictures of the rows, for showing, that lie elsewhere (.npz, .npy, .safetensors or Parquet)', text)
    .option('--texts <FILE>', 'texts of the rows, for showing, that lie elsewhere (JSON lines, .gz or not, or .npy)', text)
    .option('--label-column <NAME>', 'column or key of the labels in CSV, JSON lines or a bundle', text)
    .option('--activations-column <NAME>', 'column or key of the activations in a bundle', text)
}

export function auditOptionsOf({ set, ...flags }: AuditFlags): AuditOptions {
  const { backend, softwareAdapters, threads, memory, seed, falseAccusationRate, detectors } = flags
  const detectorOptions = set && settingsByDetector(set)
  return { backend, softwareAdapters, threads, memory, seed, falseAccusationRate, detectors, detectorOptions }
}

export function auditFilesOf(flags: FileFlags): AuditFiles {
  const { labels, predictions, logits, trusted, trustedLabels, classNames, images, texts, labelColumn, activationsColumn } = flags
  return { labels, predictions, logits, trusted, trustedLabels, classNames, images, texts, labelColumn, activationsColumn }
}
