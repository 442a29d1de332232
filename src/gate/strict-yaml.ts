import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'

/**
 * Parses a YAML 1.2 document (or JSON) that says one thing only, whoever reads it: a key twice, an alias, an anchor, a tag, a directive, a key
 * that is not text and a second document are refused, each with its line. Throws `InputError` with `code`.
 */
export async function parseStrictYaml(text: string, where: string, code: string): Promise<unknown> {
  const { isAlias, isNode, isPair, isScalar, LineCounter, parseDocument, visit } = await import('yaml')
  const lines = new LineCounter()
  const fail = (problem: string, offset: number, cause?: unknown): never => {
    throw new InputError(code, `${where}, line ${lines.linePos(offset).line}: ${problem}`, {}, cause)
  }
  if (/^(?:\uFEFF)?%/m.test(text)) throw new InputError(code, `${where}: has a YAML directive (a line that begins with %), expected none`)
  try {
    const document = parseDocument(text, { version: '1.2', schema: 'core', uniqueKeys: false, lineCounter: lines, prettyErrors: false })
    const [error] = [...document.errors, ...document.warnings]
    if (error) fail(showText(error.message, 200), error.pos[0], error)
    visit(document, (_, node) => {
      if (isAlias(node)) fail(`has the alias *${showText(node.source)}, expected what it stands for`, node.range?.[0] ?? 0)
      if (isNode(node) && node.tag) fail(`has the tag ${showText(node.tag)}, expected none`, node.range?.[0] ?? 0)
      if (isNode(node) && 'anchor' in node && node.anchor) {
        fail(`has the anchor &${showText(node.anchor)}, expected none`, node.range?.[0] ?? 0)
      }
      if (isPair(node) && !(isScalar(node.key) && typeof node.key.value === 'string')) {
        fail('has a key that is not a text, expected one; put it in quotes', isNode(node.key) ? (node.key.range?.[0] ?? 0) : 0)
      }
    })
    visit(document, {
      Map(_, { items }) {
        const seen = new Set<unknown>()
        for (const { key } of items) {
          if (!isScalar(key)) continue
          if (seen.has(key.value)) fail(`has the key '${showText(key.value)}' twice, expected it once`, key.range?.[0] ?? 0)
          seen.add(key.value)
        }
      },
    })
    return document.toJS({ maxAliasCount: 0 })
  } catch (cause) {
    if (cause instanceof InputError) throw cause
    // as of brackets without end
    throw new InputError(code, `${where}: cannot be read as YAML: ${showText(cause instanceof Error ? cause.message : cause)}`, {}, cause)
  }
}
