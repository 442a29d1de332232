import { type FileSource, openFile } from '../io/node-file-source.js'
import { type ExamineOptions, examineModel as examine, type ModelExamination, type ModelFile } from './examine-model.js'
import { externalFiles } from './node-external-files.js'

/** As `examineModel`; files of weights beside an ONNX model that lies on disk are opened. Throws as that does, and `externalFiles`. */
export async function examineModel(file: ModelFile, options: ExamineOptions = {}): Promise<ModelExamination | null> {
  if (file.path === null || file.openExternal) return examine(file, options)
  const opened: FileSource[] = []
  const open = async (path: string) => {
    const source = await openFile(path)
    opened.push(source)
    return source
  }
  try {
    return await examine({ ...file, openExternal: externalFiles(file.path, open) }, options)
  } finally {
    for (const source of opened) await source.close()
  }
}
