import type { IncomingMessage } from 'node:http'
import { Refused } from './refused.js'

const maxBytes = 2 ** 20
const mostPaths = 10_000

/** The body of a request for `paths-info`, as JSON or as a form, as clients send it. Throws `Refused`. */
export async function readPathsBody(request: IncomingMessage): Promise<{ readonly paths: readonly string[]; readonly expand: boolean }> {
  const chunks: Buffer[] = []
  let length = 0
  // what is not read stays unread: the connection is needed for the answer
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    length += chunk.length
    if (length > maxBytes)
      throw new Refused('too-large', `request: has a body of more than ${maxBytes} bytes, expected fewer paths at once`)
    chunks.push(chunk)
  }
  const text = Buffer.concat(chunks).toString('utf8')
  const isForm = /^application\/x-www-form-urlencoded\b/i.test(request.headers['content-type'] ?? '')
  const { paths, expand } = isForm ? readForm(text) : readJson(text)
  if (paths.length > mostPaths || !paths.every((path) => typeof path === 'string')) throw bad()
  return { paths: paths as string[], expand }
}

function readForm(text: string): { paths: unknown[]; expand: boolean } {
  const form = new URLSearchParams(text)
  return { paths: [...form.getAll('paths'), ...form.getAll('paths[]')], expand: /^true$/i.test(form.get('expand') ?? '') }
}

function readJson(text: string): { paths: unknown[]; expand: boolean } {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    throw bad()
  }
  const { paths, expand } = (json ?? {}) as { paths?: unknown; expand?: unknown }
  if (!Array.isArray(paths)) throw bad()
  return { paths, expand: expand === true }
}

function bad(): Refused {
  return new Refused(
    'bad-request',
    `request: has a body that is none for paths-info, expected {"paths": ["…"], "expand": false} with at most ${mostPaths} paths`,
  )
}
