import { byCodePoints } from '../core/code-points.js'
import { InputError } from '../core/errors.js'
import { listNames } from '../io/list-names.js'
import type { ListedPictures } from './input-place.js'

/** Pictures in the order of the rows. */
export interface ArrangedPictures {
  /** Paths below the folder, with `/`. */
  readonly names: readonly string[]
  /** By the folders that the pictures lie in, sorted; null where they all lie in the folder itself. */
  readonly classes: { readonly names: readonly string[]; readonly labels: readonly number[] } | null
}

const maxPictures = 2 ** 24

/**
 * Puts the pictures of a folder in the order of torchvision's `ImageFolder`: one folder a class, whose name is its name and whose pictures may lie in
 * folders of their own, all in the order of code points; or pictures that lie in the folder itself, sorted too. null where there are none.
 *
 * Throws `InputError`: `empty-class` for a folder without pictures beside others with, `bad-folder` for pictures beside folders of classes, `too-large`.
 */
export function arrangePictures({ pictures, folders }: ListedPictures, where: string): ArrangedPictures | null {
  if (pictures.length === 0) return null
  if (pictures.length > maxPictures) {
    throw new InputError('too-large', `${where}: has ${pictures.length} pictures, expected at most ${maxPictures}; extract them in parts`)
  }
  // as sorting what `os.walk` gives: by the path of the folder, and then by name
  const split = pictures.map((path) => ({
    path,
    folder: path.slice(0, Math.max(0, path.lastIndexOf('/'))),
    name: path.slice(path.lastIndexOf('/') + 1),
  }))
  split.sort((a, b) => byCodePoints(a.folder, b.folder) || byCodePoints(a.name, b.name))
  const flat = split.filter(({ folder }) => folder === '')
  const classOf = (path: string) => path.slice(0, path.indexOf('/'))
  const names = [...new Set(split.filter(({ folder }) => folder !== '').map(({ path }) => classOf(path)))].sort(byCodePoints)
  if (names.length === 0) return { names: flat.map(({ path }) => path), classes: null }
  if (flat.length > 0) {
    const message = `${where}: has ${flat.length} pictures beside folders of pictures (${listNames(names)}), expected either; move them into the folders of their classes`
    throw new InputError('bad-folder', message)
  }
  const empty = folders.filter((name) => !names.includes(name))
  if (empty.length > 0) {
    const message = `${where}: ${listNames(empty)} without a picture, expected one folder a class; fill it, or move it elsewhere`
    throw new InputError('empty-class', message, { empty })
  }
  const indexOf = new Map(names.map((name, index) => [name, index]))
  const labelled = split.map(({ path }) => ({ path, label: indexOf.get(classOf(path)) as number }))
  labelled.sort((a, b) => a.label - b.label) // stable
  return { names: labelled.map(({ path }) => path), classes: { names, labels: labelled.map(({ label }) => label) } }
}
