import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { startProxy } from '../../src/proxy/start-proxy.js'
import { HubDouble } from '../../test/support/hub-double.js'

// One part of the bench, by its name: says where it listens, or what it measured, as one line of JSON; then, of a server, its memory when asked.
const [part = '', ...rest] = process.argv.slice(2)
const say = (value: unknown) => process.stdout.write(`${JSON.stringify(value)}\n`)

/** Answers each line on stdin by what the process has taken so far. */
function report(more: () => object = () => ({})): void {
  process.stdin.on('data', () => {
    const { user, system } = process.cpuUsage()
    say({ maxRssMiB: process.resourceUsage().maxRSS / 1024, cpuMs: (user + system) / 1000, ...more() })
  })
}

if (part === 'hub') {
  const [folder = '', sha256 = '', size = ''] = rest
  const hub = await new HubDouble().start()
  const small = Object.fromEntries(JSON.parse(rest[3] ?? '[]').map(([name, text]: [string, string]) => [name, Buffer.from(text, 'base64')]))
  hub.push('models/org/model', { ...small, 'model.safetensors': { path: join(folder, 'model.safetensors'), size: Number(size), sha256 } })
  report(() => ({ downloads: hub.downloads.filter(({ server }) => server === 'cdn').length }))
  say({ url: hub.url, cdnUrl: hub.cdnUrl })
} else if (part === 'proxy') {
  const [policy = '', upstream = '', cdn = '', store = ''] = rest
  const proxy = await startProxy({ policy, upstream, redirectTo: [cdn], store })
  report()
  say({ url: proxy.url })
} else if (part === 'static') {
  const [file = ''] = rest
  const { size } = await stat(file)
  const server = createServer((_, response) => {
    response.writeHead(200, { 'content-length': size })
    createReadStream(file).pipe(response)
  })
  server.listen(0, '127.0.0.1', () => say({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }))
  report()
} else {
  const [url = '', clients = '1', bytesEach = ''] = rest
  const headers = bytesEach === '' ? {} : { range: `bytes=0-${Number(bytesEach) - 1}` }
  const start = performance.now()
  const firstByte: number[] = []
  const one = () =>
    new Promise<number>((resolve, reject) => {
      const asked = request(url, { agent: false, headers }, (answer) => {
        let bytes = 0
        answer.on('data', (chunk: Buffer) => {
          if (bytes === 0) firstByte.push(performance.now() - start)
          bytes += chunk.length
        })
        answer.on('end', () =>
          answer.statusCode === 200 || answer.statusCode === 206 ? resolve(bytes) : reject(new Error(`status ${answer.statusCode}`)),
        )
        answer.on('error', reject)
      })
      asked.on('error', reject)
      asked.end()
    })
  const bytes = await Promise.all(Array.from({ length: Number(clients) }, one))
  say({ ms: performance.now() - start, firstByteMs: Math.min(...firstByte), bytes: bytes.reduce((sum, count) => sum + count, 0) })
}
