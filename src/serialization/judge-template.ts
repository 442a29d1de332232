import { showText } from '../core/untrusted-text.js'

export interface TemplateJudgement {
  readonly id: 'template-code' | 'template-suspicious'
  readonly says: string
}

/** Names that lead from any value of a template to the inside of Python. */
const inside =
  /^(?:__\w+__|mro|gi_frame|gi_code|cr_frame|ag_frame|f_globals|f_builtins|f_back|func_globals|func_code|im_func|im_self|tb_frame|co_code|subclasses)$/
const objects = /^(?:lipsum|cycler|joiner|self|request|config|url_for|get_flashed_messages|application)$/
const statements = /^(?:import|include|extends|from)$/

/**
 * What is wrong with a chat template in Jinja: that its code (between `{{` or `{%` and their ends, also by line statements) names what leads
 * to the inside of Python, as an attribute, by a subscript or in the `attr` filter, in whatever way the name is spelt as a literal; or that
 * it does what hides such names. At most one of each kind.
 */
export function judgeTemplate(template: string): TemplateJudgement[] {
  const code: string[] = []
  const notable: string[] = []
  for (const [, block = ''] of template.matchAll(/\{[{%]-?([\s\S]*?)-?[%}]\}/g)) judgeBlock(block, code, notable)
  return [
    ...(code.length > 0 ? [{ id: 'template-code', says: `the chat template names ${list(code)}` } as const] : []),
    ...(notable.length > 0 ? [{ id: 'template-suspicious', says: `the chat template uses ${list(notable)}` } as const] : []),
  ]
}

function list(names: readonly string[]): string {
  return [...new Set(names)]
    .slice(0, 5)
    .map((name) => showText(name, 60))
    .join(', ')
}

function judgeBlock(block: string, code: string[], notable: string[]): void {
  const tokens = [...block.matchAll(/'((?:[^'\\]|\\[\s\S])*)'|"((?:[^"\\]|\\[\s\S])*)"|([\p{L}_][\p{L}\p{N}_]*)|(\S)/gu)]
  const at = (index: number) => tokens[index]?.[0]
  for (const [index, [whole, single, double, word, symbol]] of tokens.entries()) {
    const literal = single ?? double
    if (literal !== undefined) {
      const text = literalText(literal)
      if (inside.test(text.normalize('NFKC'))) code.push(text)
      // names put together, and fields that format() follows
      else if (
        /^_+$|^__\w*$|^\w*__$/.test(text) &&
        ['+', '~', '*', '%'].some((operator) => at(index - 1) === operator || at(index + 1) === operator)
      )
        notable.push(`${whole} in a sum`)
      else if (/\{[^{}]*[.[]\s*_/.test(text)) code.push(text)
      else if (/\\x5f|\\u005f|\\137/i.test(literal)) notable.push(`${literal} for _`)
    } else if (word !== undefined) {
      const name = word.normalize('NFKC')
      if (inside.test(name)) code.push(name)
      else if (name === 'attr' && at(index - 1) === '|') notable.push('the attr filter')
      else if (objects.test(name) && at(index - 1) !== '.' && ['.', '[', '|'].includes(at(index + 1) ?? ''))
        notable.push(`an attribute of ${name}`)
      else if (statements.test(name) && index === 0) notable.push(`{% ${name} %}`)
      else if (name === 'popen' || name === 'system' ? at(index - 1) === '.' && at(index + 1) === '(' : false) code.push(`${name}()`)
      else if (name === 'format_map') notable.push('format_map')
    } else if (symbol === '_' && at(index - 1) === '.') notable.push('an attribute that begins with _')
  }
}

function literalText(literal: string): string {
  return literal.replace(
    /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{1,3})|([\s\S]))/g,
    (_, x, u, long, octal, other) => {
      const code = octal === undefined ? Number.parseInt(x ?? u ?? long ?? '', 16) : Number.parseInt(octal, 8)
      return Number.isNaN(code) || code > 0x10ffff ? (other ?? '') : String.fromCodePoint(code)
    },
  )
}
