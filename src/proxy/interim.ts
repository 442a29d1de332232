import type { IncomingMessage, ServerResponse } from 'node:http'

const everyMs = 3000

/**
 * Tells a client that is waiting for a revision that its answer is being made (102 Processing, RFC 2518), so that it does not give up.
 * Only Python's client from version 1 on is told: it gives up after ten seconds, and is known to read past such answers, as HTTP asks of
 * every client and not every one does. Gives what ends it, to be called before the answer.
 */
export function tellWaiting(request: IncomingMessage, response: ServerResponse): () => void {
  const [, major = '0'] = /\bhf_hub\/(\d{1,4})\./.exec(request.headers['user-agent'] ?? '') ?? []
  if (Number(major) < 1 || request.httpVersion !== '1.1') return () => {}
  const timer = setInterval(() => {
    if (!response.headersSent && !response.destroyed) response.writeProcessing()
  }, everyMs)
  response.on('close', () => clearInterval(timer))
  return () => clearInterval(timer)
}
