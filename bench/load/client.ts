// The load: keep-alive connections with one request in flight each, over raw sockets, because a client that parses HTTP
// would be slower than the server it measures.
import { connect, type Socket } from 'node:net'
import type { LoadRequest, LoadResult } from './messages.ts'

process.on('message', (request: LoadRequest) => {
  void load(request).then((result) => process.send?.(result))
})

async function load({ port, durationMs, connectionCount }: LoadRequest): Promise<LoadResult> {
  const latencies = new LatencyHistogram()
  const cpuBefore = process.cpuUsage()
  const start = performance.now()
  const end = start + durationMs
  const connections = Array.from({ length: connectionCount }, () => new Connection(port, end, latencies))
  await Promise.all(connections.map((connection) => connection.done))
  const elapsedMs = performance.now() - start
  const cpu = process.cpuUsage(cpuBefore)
  return {
    requestCount: latencies.count,
    errorCount: connections.reduce((sum, connection) => sum + connection.errorCount, 0),
    durationMs: elapsedMs,
    latencyMsP50: latencies.percentile(0.5),
    latencyMsP99: latencies.percentile(0.99),
    loadCpuShare: (cpu.user + cpu.system) / 1000 / elapsedMs,
  }
}

class Connection {
  readonly done: Promise<void>
  errorCount = 0
  readonly #socket: Socket
  readonly #request: Buffer
  readonly #endMs: number
  readonly #latencies: LatencyHistogram
  #sentMs = 0
  /** Size of the first response; every other one has the same, which is checked. */
  #responseSizeBytes = 0
  #receivedBytes = 0

  constructor(port: number, endMs: number, latencies: LatencyHistogram) {
    this.#endMs = endMs
    this.#latencies = latencies
    this.#request = Buffer.from(
      `GET / HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\nuser-agent: bench/1\r\naccept: */*\r\n\r\n`,
    )
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true })
    this.#socket.on('connect', () => this.#send())
    this.#socket.on('data', (data) => this.#receive(data))
    this.#socket.on('error', () => this.errorCount++)
    this.done = new Promise((resolve) => this.#socket.on('close', () => resolve()))
  }

  #send(): void {
    this.#sentMs = performance.now()
    this.#socket.write(this.#request)
  }

  #receive(data: Buffer): void {
    this.#receivedBytes += data.length
    if (this.#responseSizeBytes === 0) this.#measureFirst(data)
    if (this.#receivedBytes < this.#responseSizeBytes) return
    if (this.#receivedBytes > this.#responseSizeBytes) this.errorCount++
    this.#receivedBytes = 0
    const now = performance.now()
    this.#latencies.add(now - this.#sentMs)
    if (now >= this.#endMs) this.#socket.destroy()
    else this.#send()
  }

  #measureFirst(data: Buffer): void {
    const text = data.toString('latin1')
    const headEnd = text.indexOf('\r\n\r\n')
    const length = /content-length: (\d+)/i.exec(text)?.[1]
    if (headEnd < 0 || !text.startsWith('HTTP/1.1 200 ')) {
      this.errorCount++
      this.#socket.destroy()
      return
    }
    // Without a content-length the body is chunked, and all of it is in this first packet.
    this.#responseSizeBytes = length === undefined ? data.length : headEnd + 4 + Number(length)
  }
}

/** Buckets of 10 us up to one second. */
class LatencyHistogram {
  count = 0
  readonly #buckets = new Uint32Array(100_001)

  add(ms: number): void {
    this.count++
    const bucket = Math.min(Math.floor(ms * 100), 100_000)
    this.#buckets[bucket] = (this.#buckets[bucket] ?? 0) + 1
  }

  percentile(share: number): number {
    let rest = this.count * share
    for (const [bucket, count] of this.#buckets.entries()) {
      rest -= count
      if (rest <= 0) return (bucket + 1) / 100
    }
    return Number.POSITIVE_INFINITY
  }
}
