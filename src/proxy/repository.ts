/** A repository of the hub. */
export interface Repository {
  readonly kind: 'model' | 'dataset'
  /** `organisation/name`, or a name alone, as the oldest repositories have it. */
  readonly name: string
}

/** A file of a repository's revision as the hub lists it. */
export interface ListedFile {
  /** From the repository's root, with `/`. */
  readonly path: string
  readonly size: number
  /** Git's name of what is committed: the file itself, or the pointer that stands for a large one. SHA-1, hexadecimal. */
  readonly oid: string
  /** SHA-256 of a large file, hexadecimal; `null` of one that git holds itself. */
  readonly sha256: string | null
}

const segment = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_-])?$/

/** Whether the hub could have a repository of that name: it allows neither `--` nor `..`, and folders of the store rely on it. */
export function isRepositoryName(name: string): boolean {
  const parts = name.split('/')
  return name.length <= 96 && parts.length <= 2 && parts.every((part) => segment.test(part) && !/--|\.\.|\.git$/i.test(part))
}

/** A full commit id. */
export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision)
}

/** Whether git could have a branch, a tag or a commit of that name (git-check-ref-format). */
export function isRevisionName(name: string): boolean {
  if (name.length === 0 || name.length > 200 || !/^[\x21-\x7e]+$/.test(name)) return false
  if (/[~^:?*[\\]|\.\.|@\{|\/\/|^[-/]|[/.]$/.test(name)) return false
  return name.split('/').every((part) => !part.startsWith('.') && !part.endsWith('.lock'))
}

const maxPathBytes = 1024
const maxSegmentBytes = 255

/** Whether a path stays in its folder on every file system: no empty, `.` or `..` segment, no backslash, no control character. */
export function isFilePath(path: string): boolean {
  const bytes = new TextEncoder()
  if (path.length === 0 || bytes.encode(path).length > maxPathBytes || /[\\\p{Cc}\p{Cs}\u2028\u2029]/u.test(path)) return false
  return path.split('/').every((part) => part !== '' && part !== '.' && part !== '..' && bytes.encode(part).length <= maxSegmentBytes)
}

/** The name of a revision's folder in the store. */
export function revisionKey({ kind, name }: Repository, commit: string): string {
  return `${kind}s--${name.replace('/', '--')}--${commit}`
}

/** A repository as people write it: `organisation/name`, `datasets/organisation/name`. */
export function showRepository({ kind, name }: Repository): string {
  return kind === 'dataset' ? `datasets/${name}` : name
}
