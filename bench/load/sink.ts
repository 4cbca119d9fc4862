// Takes spans as a collector and as a Datadog agent, and counts them per port: one port for each variant. A body is
// counted when somebody asks, so that counting costs the measured minutes nothing.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { countDatadogSpans, countOtlpSpans } from './count-spans.ts'
import type { SinkCount } from './messages.ts'

class Counter {
  bodyCount = 0
  spanCount = 0
  #waiting: { count: (body: Buffer) => number; body: Buffer }[] = []
  #waitingBytes = 0

  take(count: (body: Buffer) => number, body: Buffer): void {
    this.bodyCount++
    this.#waiting.push({ count, body })
    this.#waitingBytes += body.length
    if (this.#waitingBytes > 256 * 1024 * 1024) this.read()
  }

  read(): SinkCount {
    for (const { count, body } of this.#waiting) this.spanCount += count(body)
    this.#waiting = []
    this.#waitingBytes = 0
    return { spanCount: this.spanCount, bodyCount: this.bodyCount }
  }
}

const counters = new Map<number, Counter>()

function answer(counter: Counter, request: IncomingMessage, response: ServerResponse): void {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    const body = Buffer.concat(chunks)
    if (request.url === '/v1/traces') {
      counter.take(countOtlpSpans, body)
      response.setHeader('content-type', 'application/x-protobuf')
      response.end()
    } else if (request.url === '/v0.4/traces') {
      counter.take(countDatadogSpans, body)
      response.setHeader('content-type', 'application/json')
      response.end('{"rate_by_service":{"service:,env:":1}}')
    } else if (request.url === '/info') {
      response.end('{"version":"7.60.0","endpoints":["/v0.4/traces"],"client_drop_p0s":false}')
    } else {
      response.statusCode = 404
      response.end()
    }
  })
}

async function listen(): Promise<number> {
  const counter = new Counter()
  const server = createServer((request, response) => answer(counter, request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  counters.set(port, counter)
  return port
}

process.on('message', (port: number) => {
  if (port === 0) void listen().then((listening) => process.send?.(listening))
  else process.send?.(counters.get(port)?.read())
})
