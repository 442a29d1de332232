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

/** Order by Unicode code points (OMS v1.0 §5.2.1): of UTF-16 code units a surrogate would come before U+E000. */
export function byCodePoints(a: string, b: string): number {
  let i = 0
  while (i < a.length && a[i] === b[i]) i++
  if (i === a.length || i === b.length) return a.length - b.length
  // the second half of a pair says where two characters with the same first half differ
  const from = i > 0 && isLowSurrogate(a.charCodeAt(i)) && isLowSurrogate(b.charCodeAt(i)) ? i - 1 : i
  return (a.codePointAt(from) as number) - (b.codePointAt(from) as number)
}

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit < 0xe000
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
