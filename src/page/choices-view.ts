import { showText } from '../core/untrusted-text.js'
import { type Element, h } from '../views/element.js'
import { type Assignment, roles } from './assign-roles.js'
import type { Role, Selection, SurveyedFile } from './messages.js'

const titles: Readonly<Record<Role, string>> = {
  activations: 'Activations, or a bundle',
  labels: 'Labels',
  preds: "The model's predictions",
  logits: 'Logits',
  trusted_activations: 'Activations of trusted rows',
  trusted_labels: 'Labels of trusted rows',
  class_names: 'Names of the classes',
  images: 'Pictures',
  texts: 'Texts',
}

/** Asks what each file is, and which keys or columns hold activations and labels; what is most likely is chosen already. */
export function choicesView(files: readonly SurveyedFile[], { roles: assigned, columns }: Assignment): Element {
  const data = files[assigned.indexOf('activations')]
  const labels = files[assigned.indexOf('labels')]
  const holder = labels ?? data
  const hasKeys = holder !== undefined && (labels ? labels.kind === 'table' : holder.kind === 'bundle') && holder.arrays.length > 0
  return h(
    'form',
    { id: 'choices', class: 'card', 'aria-labelledby': 'choices-title' },
    h('h1', { id: 'choices-title', tabindex: -1 }, 'What is what?'),
    h('p', {}, 'The names do not say it all. Please check, then start.'),
    h(
      'ul',
      { class: 'rows' },
      files.map((file, index) => fileRow(file, index, assigned[index] ?? null)),
    ),
    h(
      'div',
      { class: 'fields' },
      data?.kind === 'bundle' && keyField('activations-key', 'Activations are under', data, columns.activations),
      hasKeys && keyField('labels-key', 'Labels are under', holder, columns.labels),
    ),
    h('p', { id: 'choices-problem', class: 'wrong', role: 'alert' }),
    h(
      'p',
      { class: 'buttons' },
      h('button', { type: 'submit', class: 'button primary' }, 'Start the audit'),
      h('button', { type: 'button', class: 'button', 'data-restart': true }, 'Choose other files'),
    ),
  )
}

function fileRow({ name, byteLength, kind, arrays, problem }: SurveyedFile, index: number, role: Role | null): Element {
  const id = `role-${index}`
  const holds = kind === 'array' ? (arrays[0]?.says ?? '') : arrays.length > 0 ? `${arrays.length} arrays or columns` : ''
  return h(
    'li',
    {},
    h(
      'label',
      { for: id },
      h('bdi', {}, showText(name, 120)),
      h('span', { class: 'note' }, [size(byteLength), holds].filter(Boolean).join(' · ')),
    ),
    h(
      'select',
      { id, 'aria-describedby': problem === null ? null : `${id}-problem` },
      h('option', { value: '', selected: role === null }, 'Leave it out'),
      roles.map((one) => h('option', { value: one, selected: one === role }, titles[one])),
    ),
    problem !== null && h('p', { class: 'wrong', id: `${id}-problem` }, showText(problem, 600)),
  )
}

function keyField(id: string, title: string, { name, arrays }: SurveyedFile, chosen: string | null): Element {
  return h(
    'div',
    { class: 'field' },
    h('label', { for: id }, title),
    h(
      'select',
      { id },
      arrays.map(({ key, says }, index) =>
        h('option', { value: index, selected: key === chosen }, `${showText(key, 60)}${says === '' ? '' : ` (${says})`}`),
      ),
    ),
    h('p', { class: 'note' }, `in ${showText(name, 80)}`),
  )
}

/** What the form says now, as an assignment; and why it cannot be used yet, or null. */
export function readChoices(
  document: Document,
  files: readonly SurveyedFile[],
  given: Assignment,
): { readonly assignment: Assignment; readonly problem: string | null } {
  const chosen = files.map((_, index) => ((document.getElementById(`role-${index}`) as HTMLSelectElement).value || null) as Role | null)
  const fileOf = (role: Role) => files[chosen.indexOf(role)]
  const keyAt = (id: string, file: SurveyedFile | undefined, otherwise: string | null) => {
    const select = document.getElementById(id) as HTMLSelectElement | null
    return select && file ? (file.arrays[Number(select.value)]?.key ?? null) : otherwise
  }
  const data = fileOf('activations')
  const assignment = {
    roles: chosen,
    columns: {
      activations: keyAt('activations-key', data, given.columns.activations),
      labels: keyAt('labels-key', fileOf('labels') ?? data, given.columns.labels),
    },
    isSure: false,
  }
  return { assignment, problem: whyNot(files, assignment) }
}

function whyNot(files: readonly SurveyedFile[], { roles: chosen, columns }: Assignment): string | null {
  const twice = roles.find((role) => chosen.filter((one) => one === role).length > 1)
  if (twice) return `Two files are taken for “${titles[twice]}”. Leave one of them out.`
  const data = files[chosen.indexOf('activations')]
  if (!data) return 'No file is taken for the activations. Choose which one holds them.'
  if (data.problem !== null) return data.problem
  if (chosen.includes('labels')) return null
  if (data.kind !== 'bundle') return 'No file is taken for the labels. Choose which one holds them, or add it to what you drop.'
  if (columns.labels === null || columns.labels === columns.activations)
    return 'Activations and labels are under the same name. Choose another for one of them.'
  return null
}

/** The files by role, as the worker takes them. */
export function selectionOf(files: readonly File[], { roles: chosen, columns }: Assignment): Selection {
  const byRole: Partial<Record<Role, File>> = {}
  for (const [index, role] of chosen.entries()) if (role !== null) byRole[role] = files[index] as File
  return { files: byRole, columns: { activations: columns.activations ?? undefined, labels: columns.labels ?? undefined } }
}

function size(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  const power = Math.min(Math.floor(Math.log(Math.max(bytes, 1)) / Math.log(1000)), units.length - 1)
  const value = bytes / 1000 ** power
  return `${value.toFixed(power === 0 || value >= 100 ? 0 : 1)} ${units[power]}`
}
