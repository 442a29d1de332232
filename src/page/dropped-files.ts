/** More of a drop is not looked at: an audit has a dozen files. */
const mostFiles = 300

/**
 * The files of a drop; of a folder those that lie in it, not those of folders within it (so not its `truth/`). Call it while the drop is
 * being handled: later the browser has forgotten what was dropped.
 */
export async function droppedFiles(transfer: DataTransfer): Promise<File[]> {
  const entries = [...transfer.items].map((item) => (item.kind === 'file' ? item.webkitGetAsEntry() : null))
  if (entries.every((entry) => entry === null)) return [...transfer.files].slice(0, mostFiles)
  const files: File[] = []
  for (const entry of entries) {
    if (entry?.isFile) files.push(await fileOf(entry as FileSystemFileEntry))
    if (!entry?.isDirectory) continue
    const reader = (entry as FileSystemDirectoryEntry).createReader()
    for (let some = await entriesOf(reader); some.length > 0 && files.length < mostFiles; some = await entriesOf(reader)) {
      for (const one of some) if (one.isFile) files.push(await fileOf(one as FileSystemFileEntry))
    }
  }
  return files.slice(0, mostFiles)
}

/** The files that an input has; of a chosen folder those that lie in it, not those of folders within it. */
export function chosenFiles(input: HTMLInputElement): File[] {
  const files = [...(input.files ?? [])]
  return files
    .filter(({ webkitRelativePath }) => webkitRelativePath === '' || webkitRelativePath.split('/').length === 2)
    .slice(0, mostFiles)
}

/** What a browser gives at a time: it has to be asked until it gives nothing. */
function entriesOf(reader: FileSystemDirectoryReader): Promise<FileSystemEntry[]> {
  return new Promise((resolve, reject) => reader.readEntries(resolve, reject))
}

function fileOf(entry: FileSystemFileEntry): Promise<File> {
  return new Promise((resolve, reject) => entry.file(resolve, reject))
}
