/** An element of a page as plain data: turned into text for a file (`toMarkup`) or into nodes of a document (`toNode`). */
export interface Element {
  readonly tag: string
  readonly attributes: Readonly<Record<string, string>>
  readonly children: readonly (Element | string)[]
}

type Attributes = Readonly<Record<string, string | number | boolean | null | undefined>>
export type Child = Element | string | null | false | readonly Child[]

/** Attributes that are null, undefined or false are left out, and so are such children; `true` is an attribute without a value. */
export function h(tag: string, attributes: Attributes = {}, ...children: readonly Child[]): Element {
  const kept: Record<string, string> = {}
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) kept[name] = value === true ? '' : String(value)
  }
  return { tag, attributes: kept, children: flatten(children) }
}

function flatten(children: readonly Child[]): (Element | string)[] {
  return children.flatMap((child) => {
    if (child === null || child === false) return []
    return Array.isArray(child) ? flatten(child) : [child as Element | string]
  })
}

const empty = new Set(['br', 'hr', 'img', 'input', 'meta', 'link', 'col'])

/** HTML text. Whatever characters text and attributes hold, they stay text: tags and names of attributes come from code only. */
export function toMarkup(node: Element | string): string {
  if (typeof node === 'string') return escapeMarkup(node)
  const { tag, attributes, children } = node
  const written = Object.entries(attributes).map(([name, value]) => (value === '' ? ` ${name}` : ` ${name}="${escapeMarkup(value)}"`))
  const open = `<${tag}${written.join('')}>`
  return empty.has(tag) ? open : `${open}${children.map(toMarkup).join('')}</${tag}>`
}

const references: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

export function escapeMarkup(text: string): string {
  return text.replace(/[&<>"']/g, (character) => references[character] as string)
}

const svg = 'http://www.w3.org/2000/svg'

/** A node of `document`. Text is set as text: nothing is parsed. */
export function toNode(document: Document, node: Element | string, namespace: string | null = null): Node {
  if (typeof node === 'string') return document.createTextNode(node)
  const own = node.tag === 'svg' ? svg : namespace
  const made = own ? document.createElementNS(own, node.tag) : document.createElement(node.tag)
  for (const [name, value] of Object.entries(node.attributes)) made.setAttribute(name, value)
  made.append(...node.children.map((child) => toNode(document, child, own)))
  return made
}
