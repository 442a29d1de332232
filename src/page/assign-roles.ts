import { auditArrayNames, imageFileNames, textFileNames } from '../io/audit-names.js'
import type { FoundArray, Role, SurveyedFile } from './messages.js'

/** Which file is taken for what, and which keys of it. */
export interface Assignment {
  /** By index of the file; null where it is left out. At most one file has a role. */
  readonly roles: readonly (Role | null)[]
  readonly columns: { readonly activations: string | null; readonly labels: string | null }
  /** Whether names alone decide it, so that nobody has to be asked. */
  readonly isSure: boolean
}

/** What a single file can be taken for. */
export const roles: readonly Role[] = [...auditArrayNames, 'images', 'texts']

/**
 * Takes files for what their names say: exactly, as the files of an audit folder and the keys of a bundle are called; else by words in
 * them and by what they hold, which is a guess and has to be looked at. Where files are named as in an audit folder, others are left out.
 */
export function assignRoles(files: readonly SurveyedFile[]): Assignment {
  const exact = files.map(({ name, problem }) => (problem === null || exactRole(name) !== null ? exactRole(name) : null))
  const isUnique = roles.every((role) => exact.filter((own) => own === role).length <= 1)
  if (isUnique && exact.includes('activations') && exact.includes('labels')) return finish(files, exact, true)
  const bundles = files.flatMap(({ kind }, index) => (kind === 'bundle' && exact[index] === null ? [index] : []))
  const [bundle] = bundles
  if (isUnique && !exact.includes('activations') && bundles.length === 1 && bundle !== undefined) {
    const assigned = exact.with(bundle, 'activations')
    const isAlone = files.every((_, index) => assigned[index] !== null)
    return finish(files, assigned, isAlone)
  }
  return finish(files, guess(files), false)
}

/** Fills in the columns; sure only where each is there under a name of its own. */
function finish(files: readonly SurveyedFile[], assigned: readonly (Role | null)[], isSure: boolean): Assignment {
  const fileOf = (role: Role) => files[assigned.indexOf(role)]
  const [data, labels] = [fileOf('activations'), fileOf('labels')]
  const activations = data?.kind === 'bundle' ? pickKey(data.arrays, ['activations'], (array) => array.dimensions === 2) : null
  const labelKeys = labels ? (labels.kind === 'table' ? labels.arrays : []) : data?.kind === 'bundle' ? data.arrays : []
  const others = labelKeys.filter(({ key }) => key !== activations?.key)
  const label = others.length > 0 ? pickKey(others, ['labels', 'label'], (array) => array.dimensions === 1) : null
  const hasLabels = labels !== undefined || label !== null
  return {
    roles: assigned,
    columns: { activations: activations?.key ?? null, labels: label?.key ?? null },
    isSure: isSure && data !== undefined && hasLabels && (activations?.isSure ?? true) && (label?.isSure ?? true),
  }
}

/** The key of one of these names; else the first that looks like it, for a question. */
function pickKey(arrays: readonly FoundArray[], names: readonly string[], looksRight: (array: FoundArray) => boolean) {
  const named = names.find((name) => arrays.some(({ key }) => key === name))
  if (named !== undefined) return { key: named, isSure: true }
  const word = new RegExp(names.at(-1) === 'label' ? 'label|target|class|^y$' : 'activation|feature|embedding|hidden|^x$', 'i')
  const array = arrays.find((one) => word.test(one.key)) ?? arrays.find(looksRight) ?? arrays[0]
  return array ? { key: array.key, isSure: false } : null
}

function exactRole(name: string): Role | null {
  if (imageFileNames.some((one) => one === name)) return 'images'
  if (textFileNames.some((one) => one === name)) return 'texts'
  return auditArrayNames.find((array) => name === (array === 'class_names' ? 'class_names.json' : `${array}.npy`)) ?? null
}

/** The first that fits is taken; what comes first is what is surest. */
const hints: readonly (readonly [Role, RegExp])[] = [
  ['trusted_labels', /(?:trusted|clean|reference).*(?:label|target)/i],
  ['trusted_activations', /trusted|clean|reference/i],
  ['class_names', /names|classes|categories/i],
  ['logits', /logit/i],
  ['preds', /pred/i],
  ['labels', /label|target|(?:^|[_-])y(?:[_-]|\.)/i],
  ['images', /image|picture|photo/i],
  ['texts', /text|sentence|review/i],
  ['activations', /activation|feature|embedding|hidden|penultimate|(?:^|[_-])x(?:[_-]|\.)/i],
]

function guess(files: readonly SurveyedFile[]): (Role | null)[] {
  const taken = new Set<Role>()
  const assigned = files.map(({ name, problem }): Role | null => {
    if (problem !== null) return null
    const role = exactRole(name) ?? hints.find(([role, pattern]) => pattern.test(name) && !taken.has(role))?.[0] ?? null
    if (role === null || taken.has(role)) return null
    taken.add(role)
    return role
  })
  const give = (role: Role, fits: (file: SurveyedFile) => boolean) => {
    if (taken.has(role)) return
    const index = files.findIndex((file, at) => assigned[at] === null && file.problem === null && fits(file))
    if (index < 0) return
    assigned[index] = role
    taken.add(role)
  }
  const dimensions = (wanted: number) => (file: SurveyedFile) => file.kind === 'array' && file.arrays[0]?.dimensions === wanted
  give('activations', ({ kind }) => kind === 'bundle')
  give('activations', dimensions(2))
  give('labels', dimensions(1))
  give('labels', ({ kind }) => kind === 'table')
  return assigned
}
