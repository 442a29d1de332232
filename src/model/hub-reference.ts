import { OptionError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'

/** A place on the Hugging Face Hub. */
export interface HubReference {
  readonly kind: 'model' | 'dataset'
  /** `org/name` */
  readonly name: string
  /** A branch, a tag or a commit. */
  readonly revision: string
  /** A file or a folder of the repository, or files whose last part has one `*`; '' for all of it. */
  readonly path: string
}

/**
 * Reads `hub:org/name[@revision][/path]`, or `hub:datasets/org/name[@revision][/path]`; a `/` within a revision is written `%2F`, as in paths of `hf://`. null
 * for what does not begin with `hub:`. Throws `OptionError` `bad-hub-reference`.
 */
export function parseHubReference(text: string): HubReference | null {
  if (!text.startsWith('hub:')) return null
  const part = '[A-Za-z0-9][A-Za-z0-9._-]*'
  const found = new RegExp(`^hub:(datasets/)?(${part}/${part})(?:@([^/@]+))?(?:/(.*))?$`, 's').exec(text)
  const revision = decoded(found?.[3] ?? 'main')
  const path = (found?.[4] ?? '').replace(/\/$/, '')
  if (!found || revision === null || !/^[\w.][\w./-]*$/.test(revision) || revision.includes('..') || (path !== '' && !isPlainPath(path))) {
    throw new OptionError(
      'bad-hub-reference',
      `${showText(text, 200)}: expected hub:org/name[@revision][/path] for a model, hub:datasets/org/name[@revision][/path] for data`,
    )
  }
  return { kind: found[1] ? 'dataset' : 'model', name: found[2] as string, revision, path }
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text)
  } catch {
    return null
  }
}

/** Whether a path of a repository is one below its root, on any system. */
export function isPlainPath(path: string): boolean {
  return !/[\\\0:]/.test(path) && path.split('/').every((part) => part !== '' && part !== '.' && part !== '..')
}
