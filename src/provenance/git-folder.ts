// Files that git itself keeps in `.git` (gitrepository-layout, git-lfs), but for hooks, which are programs, unless they are its samples.
const ownFiles = [
  /^(?:HEAD|config|config\.worktree|description|index|packed-refs|shallow|gc\.log|[A-Z_]+_HEAD|AUTO_MERGE|[A-Z]+_(?:EDITMSG|MSG|MODE))$/,
  /^hooks\/[a-z-]+\.sample$/,
  /^info\/(?:exclude|attributes|grafts|refs|sparse-checkout)$/,
  /^objects\/(?:[0-9a-f]{2}\/(?:[0-9a-f]{38}|[0-9a-f]{62})|pack\/(?:pack-[0-9a-f]+\.[a-z]+|multi-pack-index)|info\/(?:packs|commit-graph))$/,
  /^objects\/info\/commit-graphs\/(?:commit-graph-chain|graph-[0-9a-f]+\.graph)$/,
  /^(?:refs|logs\/refs)\/(?:heads|tags|remotes)\/[^\\:*?[~^]+$|^(?:logs\/HEAD|refs\/stash|logs\/refs\/stash)$/,
  /^lfs\/objects\/[0-9a-f]{2}\/[0-9a-f]{2}\/[0-9a-f]{64}$/,
]

/**
 * Whether a file below `.git`, by its name from the model's root, is none of git's own. A model's version control is not signed, so that
 * anything could be hidden in it: what git would not keep there is refused as a file that is not signed.
 */
export function isStrayInGit(name: string): boolean {
  const inside = /^\.git\/(.*)$/s.exec(name)?.[1]
  return inside !== undefined && !ownFiles.some((pattern) => pattern.test(inside))
}
