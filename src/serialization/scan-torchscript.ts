import type { ByteSource } from '../io/byte-source.js'
import { readShort } from '../io/byte-window.js'
import type { FileScan } from './file-scan.js'

const maxCodeBytes = 2 ** 24

/**
 * Scans a source file of a TorchScript archive for the operators of PyTorch that read or write files by name (`aten::from_file`, `aten::save`),
 * which run when the model is called. The rest of the code is not judged, and said not to be where the archive is scanned.
 */
export async function scanTorchScriptCode(source: ByteSource, scan: FileScan): Promise<void> {
  const code = new TextDecoder().decode(await readShort(source, 0, maxCodeBytes))
  for (const [, name] of code.matchAll(/\b(?:torch|ops\s*\.\s*aten)\s*\.\s*(from_file|save)\s*\(/g)) {
    scan.findings.add('torchscript-file-operation', source.name, null, `the code calls torch.${name}`)
  }
  if (source.byteLength > maxCodeBytes) {
    scan.findings.add('too-large', source.name, maxCodeBytes, `code of more than ${maxCodeBytes} bytes is not read to its end`)
  }
}
