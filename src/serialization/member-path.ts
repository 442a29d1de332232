/** Whether a path from an archive stays in the folder that it is unpacked into, on every system. */
export function staysInside(path: string): boolean {
  const parts = path.split(/[/\\]/)
  return parts[0] !== '' && !parts.includes('..') && !/^[A-Za-z]:/.test(path) && !path.includes('\0')
}

/** Whether a link at `path` to `target` does. */
export function linkStaysInside(path: string, target: string): boolean {
  if (/^[/\\]|^[A-Za-z]:/.test(target)) return false
  let depth = path.split(/[/\\]/).filter((part) => part !== '' && part !== '.').length - 1
  for (const part of target.split(/[/\\]/)) {
    if (part === '..') depth--
    else if (part !== '' && part !== '.') depth++
    if (depth < 0) return false
  }
  return true
}
