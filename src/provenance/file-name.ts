/** Paths at the root of a model that are never signed: its version control (OMS v1.0 §6.2). */
export const defaultIgnorePaths = ['.git', '.gitattributes', '.github', '.gitignore'] as const

/** Whether a name is a path below a root, spelt in the one way that it can be: `a/b.bin`. */
export function isPlainPath(name: string): boolean {
  return !name.includes('\0') && name.split('/').every((part) => part !== '' && part !== '.' && part !== '..')
}

/** Whether a path is one of `ignored`, or lies below one. */
export function liesUnder(name: string, ignored: readonly string[]): boolean {
  return ignored.some((path) => name === path || name.startsWith(`${path}/`))
}

/** The bytes of a file that one digest is over. */
export interface Shard {
  readonly path: string
  readonly start: number
  readonly end: number
}

/** `path:start:end` (OMS v1.0 §6.3.2), or `null`. A path may have colons of its own. */
export function parseShardName(name: string): Shard | null {
  const parts = /^(.+):(0|[1-9]\d*):([1-9]\d*)$/s.exec(name)
  if (!parts) return null
  const [path, start, end] = [parts[1] as string, Number(parts[2]), Number(parts[3])]
  return Number.isSafeInteger(end) && start < end ? { path, start, end } : null
}

/** Cuts a file in shards of `shardSize` bytes, the last as long as what is left; an empty file has none. */
export function shardsOf(path: string, byteLength: number, shardSize: number): Shard[] {
  const shards: Shard[] = []
  for (let start = 0; start < byteLength; start += shardSize) shards.push({ path, start, end: Math.min(start + shardSize, byteLength) })
  return shards
}
