import { showText } from '../core/untrusted-text.js'
import type { ByteSource } from '../io/byte-source.js'
import { readShort } from '../io/byte-window.js'
import type { FileScan } from './file-scan.js'
import { judgeKeras, judgeKerasText } from './judge-keras.js'
import { judgeTemplate } from './judge-template.js'

const maxJsonBytes = 2 ** 26
const maxNodes = 2 ** 22

/**
 * Scans a JSON file that loaders of models read: code that it names (`auto_map`, `custom_pipelines`), chat templates, Keras configurations.
 */
export async function scanJson(source: ByteSource, scan: FileScan): Promise<void> {
  const { findings } = scan
  if (source.byteLength > maxJsonBytes) {
    findings.add('too-large', source.name, null, `${source.byteLength} bytes of JSON, of which at most ${maxJsonBytes} are read`)
    return
  }
  const text = new TextDecoder().decode(await readShort(source, 0, source.byteLength))
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    for (const { id, says } of judgeKerasText(text)) findings.add(id, source.name, null, says)
    findings.add('config-malformed', source.name, null, 'it is not JSON')
    return
  }
  if (/"class_name"|\\u00/.test(text)) for (const { id, says } of judgeKeras(value)) findings.add(id, source.name, null, says)
  const open: unknown[] = [value]
  for (let nodes = 0; open.length > 0 && nodes < maxNodes; nodes++) {
    const next = open.pop()
    if (next === null || typeof next !== 'object') continue
    for (const [key, inner] of Object.entries(next)) {
      judgeEntry(key, inner, source.name, scan)
      if (inner !== null && typeof inner === 'object') open.push(inner)
    }
  }
}

function judgeEntry(key: string, value: unknown, path: string, { findings }: FileScan): void {
  if (key === 'auto_map' || key === 'custom_pipelines') {
    const names = stringsIn(value)
    if (names.length > 0)
      findings.add(
        'remote-code',
        path,
        null,
        `${key} names code to be run: ${names
          .slice(0, 5)
          .map((name) => showText(name, 100))
          .join(', ')}`,
      )
  } else if ((key === 'chat_template' || key === 'template') && typeof value === 'string') {
    for (const { id, says } of judgeTemplate(value)) findings.add(id, path, null, says)
  } else if (key === 'chat_template' && value !== null && typeof value === 'object') {
    for (const template of stringsIn(value)) for (const { id, says } of judgeTemplate(template)) findings.add(id, path, null, says)
  }
}

function stringsIn(value: unknown, depth = 0): string[] {
  if (typeof value === 'string') return [value]
  if (value === null || typeof value !== 'object' || depth > 4) return []
  return Object.values(value).flatMap((inner) => stringsIn(inner, depth + 1))
}
