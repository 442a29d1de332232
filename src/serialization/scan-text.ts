import type { ByteSource } from '../io/byte-source.js'
import { readShort } from '../io/byte-window.js'
import type { FileScan } from './file-scan.js'
import { judgeTemplate } from './judge-template.js'
import { fileOperations } from './scan-tensorflow.js'

const blockBytes = 2 ** 22
const overlap = 256
const maxTemplateBytes = 2 ** 22

/** Scans text: chat templates by their name, YAML for tags that make Python objects, TensorFlow graphs written as text. */
export async function scanText(source: ByteSource, scan: FileScan): Promise<void> {
  if (/\.(?:jinja2?|j2)$/i.test(source.name)) {
    const template = new TextDecoder().decode(await readShort(source, 0, maxTemplateBytes))
    for (const { id, says } of judgeTemplate(template)) scan.findings.add(id, source.name, null, says)
    if (source.byteLength > maxTemplateBytes)
      scan.findings.add('too-large', source.name, maxTemplateBytes, 'a chat template this long is not read to its end')
  }
  const isYaml = /\.ya?ml$/i.test(source.name)
  const isGraph = /\.pbtxt$/i.test(source.name)
  if (!isYaml && !isGraph) return
  for (let at = 0; at < source.byteLength; at += blockBytes - overlap) {
    scan.signal?.throwIfAborted()
    const text = new TextDecoder().decode(await source.slice(at, Math.min(source.byteLength, at + blockBytes)))
    if (isYaml) {
      for (const [tag] of text.matchAll(/(?:!!|tag:yaml\.org,2002:)python\/(?:object|name|module)[\w/:.]{0,100}/g)) {
        scan.findings.add('yaml-code', source.name, null, `it has the tag ${tag}`)
      }
    } else {
      for (const [, name = ''] of text.matchAll(/\bop\s*:\s*["'](\w{1,64})["']/g)) {
        if (fileOperations.has(name))
          scan.findings.add('tensorflow-file-operation', source.name, null, `the graph has the operation ${name}`)
      }
    }
  }
}
