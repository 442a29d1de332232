import type { Command } from 'commander'
import { OptionError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import { writeNpy } from '../io/npy-writer.js'
import { writeNpz } from '../io/npz-writer.js'
import type { Attack, Poisoned, SharedOptions } from '../redteam/attack.js'
import type { ImageFolder } from '../redteam/node-image-folder.js'
import { toJsonText } from '../report/json.js'
import { wrapText } from '../report/text-layout.js'
import { version } from '../version.js'
import { type ExitCode, exitCode } from './exit-codes.js'
import type { Io } from './io.js'
import { nearest } from './nearest.js'
import { checkNewFolder, checkOutputFile, checkOutside, writeOutputFiles, writeOutputFolder } from './output-files.js'
import { optionSetting, shareUpToOne, text, wholeNumber } from './values.js'

interface Flags {
  readonly out?: string
  readonly attack?: string
  readonly source?: number
  readonly target?: number
  readonly rate?: number
  readonly coverRate?: number
  readonly set?: Readonly<Record<string, unknown>>
  readonly seed?: number
  readonly json?: string
  readonly quiet?: true
}

const label = wholeNumber(-(2 ** 31), 2 ** 31 - 1)

/** Adds `assay poison` to the program. `finish` gets the exit code. */
export function addPoisonCommand(program: Command, io: Io, finish: (code: ExitCode) => void): void {
  program
    .command('poison')
    .summary('red team: plant an attack in a data set of pictures')
    .description(
      'Plants an attack in a copy of a labelled data set of pictures, and writes down which rows it changed, so that detectors can be tried on it.\n\nPATH is a folder with images.npz (images, uint8) and labels.npy, or a .npz that holds both. Arrays of one entry a row are carried along; activations and the like are not: train a model on DIR and export them anew.',
    )
    .argument('<PATH>', 'data folder, or a .npz with images and labels')
    .option('--out <DIR>', 'folder to write: it must not exist yet, or be empty', text)
    .option('--attack <NAME>', 'the attack, one of those below', text)
    .option('--source <LABEL>', 'class whose rows are poisoned (default: every class but the target)', label)
    .option('--target <LABEL>', 'class that poisoned rows are to be taken for', label)
    .option('--rate <R>', 'how many: with a source, as a share of the clean rows of the target; else of all', shareUpToOne({ zero: false }))
    .option('--cover-rate <R>', 'rows that get the trigger and keep their label, as a share of all', shareUpToOne({ zero: true }))
    .option('--set <OPTION=VALUE>', "set one of the attack's own options; may be repeated", optionSetting)
    .option('--seed <N>', 'seed of all random numbers', wholeNumber(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER))
    .option('--json <FILE>', 'write what was done as JSON; - writes it to stdout, and nothing else there', text)
    .option('--quiet', 'print nothing but errors, and what --json - asks for')
    .addHelpText(
      'after',
      `
Attacks, and options for --set (docs/red-team.md has the papers, defaults and ranges):
  badnets         a patch: pattern height width color picture place margin
  all-to-all      the same patch, each label becomes the next
  blended         a picture or noise mixed in: alpha pattern (FILE.npy)
  sig             a sinusoid on the target class, labels unchanged: delta frequency axis
  wanet           a warp, and rows with noise as covers: grid strength upsampling
  adaptive-blend  pieces of a blended picture, and covers: alpha pattern grid maskRate
  tact            a patch that counts on the source class alone, and covers: as badnets, coverLabels
  label-flips     labels alone

Exit codes: 0 written, 64 usage, or an attack that the data has not the rows for, 65 bad input data, 70 internal fault,
130 interrupted (nothing half-written is left).

Example:
  $ assay poison ./data --out ./poisoned --attack badnets --source 1 --target 7 --rate 0.1 --seed 7`,
    )
    .action(async (path: string, flags: Flags) => finish(await runPoison(path, flags, io)))
}

async function runPoison(path: string, flags: Flags, io: Io): Promise<ExitCode> {
  const { out, attack: name, json } = flags
  // Not commander's required options: those would be complained of before a misspelt flag is.
  if (out === undefined || name === undefined) {
    const missing = out === undefined ? '--out, expected the folder to write' : '--attack, expected the name of one'
    throw new OptionError('missing-option', `poison: got no ${missing}; see assay poison --help`)
  }
  if (out === '-') throw new OptionError('bad-output-path', '--out: got -, expected a folder; only --json writes to stdout')
  await checkNewFolder(out, '--out')
  if (json !== undefined && json !== '-') {
    checkOutside(json, '--json', { path: out, flag: '--out' })
    await checkOutputFile(json, '--json')
  }
  const [{ attacks }, { parseAttackOptions, plant }, { readImageFolder }, { truthJson }] = await Promise.all([
    import('../redteam/attacks.js'),
    import('../redteam/attack.js'),
    import('../redteam/node-image-folder.js'),
    import('../redteam/truth-json.js'),
  ])
  const attack = findAttack(attacks, name)
  const options = await optionsOf(flags)
  parseAttackOptions(attack, options) // what is wrong with them shows before anything is read
  const read = await readImageFolder(path)
  io.signal.throwIfAborted()
  const poisoned = plant(attack, read.set, options)
  const { images, labels, truth } = poisoned
  const told = { ...truthJson(poisoned), tool: { name: 'assay', version } }
  const mask = (values: Uint8Array) => writeNpy(values, [values.length])
  const files = [
    { name: 'images.npz', bytes: writeNpz([{ key: 'images', ...images }]) },
    { name: 'labels.npy', bytes: writeNpy(labels, [labels.length]) },
    ...read.carried,
    { name: 'truth/poison_mask.npy', bytes: mask(truth.poison) },
    { name: 'truth/true_labels.npy', bytes: writeNpy(truth.trueLabels, [truth.trueLabels.length]) },
    ...(truth.cover ? [{ name: 'truth/cover_mask.npy', bytes: mask(truth.cover) }] : []),
    { name: 'truth/truth.json', bytes: toJsonText(told) },
  ]
  io.signal.throwIfAborted()
  await writeOutputFolder(out, files)

  const summary = { ...told, out, rows: labels.length, files: files.map(({ name }) => name), left_out: read.leftOut }
  if (json === '-') await io.stdout.write(toJsonText(summary))
  else {
    if (json !== undefined) await writeOutputFiles([{ path: json, bytes: toJsonText(summary) }])
    if (!flags.quiet) await io.stdout.write(formatSummary(summary, { poisoned, read, width: io.stdout.columns ?? 110 }))
  }
  return exitCode.nothingFound
}

function findAttack(attacks: readonly Attack<SharedOptions>[], name: string): Attack<SharedOptions> {
  const found = attacks.find(({ id }) => id === name)
  if (found) return found
  const names = attacks.map(({ id }) => id)
  throw new OptionError(
    'unknown-attack',
    `--attack: got ${showText(name)}, expected one of ${names.join(', ')}; the nearest is ${nearest(name, names)}`,
  )
}

/** The flags and settings as the attack takes them. A pattern is given by the path of a `.npy` file. */
async function optionsOf({ source, target, rate, coverRate, seed, set = {} }: Flags): Promise<Record<string, unknown>> {
  const named = { source, target, rate, coverRate, seed }
  const flags = Object.fromEntries(Object.entries(named).filter(([, value]) => value !== undefined))
  const twice = Object.keys(set).find((name) => name in flags)
  if (twice !== undefined) throw new OptionError('bad-option', `--set: ${twice} is given by a flag too, expected one of them`)
  const { pattern } = set
  if (typeof pattern !== 'string' || !pattern.endsWith('.npy')) return { ...flags, ...set }
  const [{ openFile }, { readNpy }] = await Promise.all([import('../io/node-file-source.js'), import('../io/npy.js')])
  const file = await openFile(pattern)
  try {
    const { data, shape, dtype } = await readNpy(file, `pattern (${showText(pattern, 200)})`)
    if (dtype !== 'uint8') throw new OptionError('bad-option', `--set pattern: ${showText(pattern, 200)} holds ${dtype}, expected uint8`)
    return { ...flags, ...set, pattern: { data, shape: [...shape] } }
  } finally {
    await file.close()
  }
}

interface Summary {
  readonly out: string
  readonly rows: number
  readonly files: readonly string[]
  readonly [key: string]: unknown
}

interface Done {
  readonly poisoned: Poisoned
  readonly read: ImageFolder
  readonly width: number
}

/** What was done, for people. */
function formatSummary(summary: Summary, { poisoned, read: { carried, leftOut }, width }: Done): string {
  const { attack, target, trigger, rate, rate_of, epsilon, n_poison, n_cover, seed, rows, out, files } = summary
  const { truth, labels } = poisoned
  const lines = [
    `${attack}: ${n_poison} of ${rows} rows poisoned; they are of ${classesOf(truth, truth.trueLabels)} and now bear the label of ${classesOf(truth, labels)}; seed ${seed}`,
    `Trigger: ${trigger}`,
    `Rate: ${rate} of ${rate_of === 'all rows' ? rate_of : `the ${rate_of}`}; the poison is ${(100 * Number(epsilon)).toFixed(2)} % of the rows that bear label ${target}`,
    ...(n_cover === undefined ? [] : [`Covers: ${n_cover} rows with the trigger and their right label`]),
    `Written to ${showText(out, 200)}: ${files.map((name) => showText(name)).join(', ')}`,
    ...(carried.length === 0 ? [] : [`Carried along as they were: ${carried.map(({ name }) => showText(name)).join(', ')}`]),
    ...[...new Set(leftOut.map(({ reason }) => reason))].map((reason) => {
      const names = leftOut.filter((one) => one.reason === reason).map(({ name }) => showText(name))
      return `Left out (${reason}): ${names.slice(0, 20).join(', ')}${names.length > 20 ? ` and ${names.length - 20} more` : ''}`
    }),
    'No model has seen this data yet: train one on it and export its activations before an audit.',
  ]
  return `${lines.flatMap((line) => wrapText(line, Math.max(40, Math.min(width, 110)))).join('\n')}\n`
}

/** The classes that the poisoned rows have by `labels`. */
function classesOf({ poison }: Poisoned['truth'], labels: Int32Array): string {
  const classes = [...new Set(labels.filter((_, row) => poison[row]))].sort((a, b) => a - b)
  return classes.length === 1 ? `class ${classes[0]}` : `${classes.length} classes`
}
