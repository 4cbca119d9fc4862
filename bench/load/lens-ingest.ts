/**
 * How many spans a second Lens takes on one core, by OTLP/HTTP with protobuf, answered only after they are stored.
 *
 * Lens runs as its own process (`throughline lens`) on one core, this sender on the others. Requests are encoded before
 * the clock starts, so that the sender's work is sending. The figure by Lens's own CPU time is what one core would give if
 * nothing else ran on it; DuckDB's threads count into it.
 *
 * Usage: node bench/dist/load/lens-ingest.js [--file] [--spans 1000000] [--per-request 512] [--in-flight 8]
 */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { encodeTraces, type TracesData } from '@throughline/otlp'

const { values } = parseArgs({
  options: {
    file: { type: 'boolean', default: false },
    spans: { type: 'string', default: '1000000' },
    'per-request': { type: 'string', default: '512' },
    'in-flight': { type: 'string', default: '8' },
  },
})
const spansPerRequest = Number(values['per-request'])
const requestCount = Math.ceil(Number(values.spans) / spansPerRequest)

/** Bodies are sent again and again: the store keeps duplicates until it reads, so the work of writing is the same. */
const bodies = Array.from({ length: 64 }, () => encodeTraces(traces(spansPerRequest)))
const dataDir = mkdtempSync(join(tmpdir(), 'lens-ingest-'))
const bin = fileURLToPath(import.meta.resolve('throughline/package.json')).replace(
  'package.json',
  'dist/bin.js',
)
const ports = ['--port', '0', '--otlp-grpc-port', '0', '--otlp-http-port', '0']
const store = values.file ? ['--data-dir', dataDir] : ['--memory']
const lens = spawn('taskset', ['-c', '0', process.execPath, bin, 'lens', ...ports, ...store], {
  stdio: ['ignore', 'pipe', 'inherit'],
})
const url = await addressOf('OTLP/HTTP')
const agent = new Agent({ keepAlive: true, maxSockets: Number(values['in-flight']) })

await send(Math.min(requestCount, 200))
const cpuBeforeMs = cpuMs()
const startMs = performance.now()
await send(requestCount)
const wallMs = performance.now() - startMs
const cpuUsedMs = cpuMs() - cpuBeforeMs
const spanCount = requestCount * spansPerRequest
console.log(
  JSON.stringify({
    what: 'lens-ingest',
    store: values.file ? 'file' : 'memory',
    spanCount,
    spansPerRequest,
    bytesPerSpan: Math.round((bodies[0]?.length ?? 0) / spansPerRequest),
    spansPerSecond: Math.round(spanCount / (wallMs / 1000)),
    spansPerCpuSecond: Math.round(spanCount / (cpuUsedMs / 1000)),
    wallMs: Math.round(wallMs),
    cpuMs: Math.round(cpuUsedMs),
    node: process.version,
    cpu: cpus()[0]?.model,
    cores: cpus().length,
  }),
)
lens.kill('SIGTERM')
agent.destroy()
lens.once('exit', () => rmSync(dataDir, { recursive: true, force: true }))

async function addressOf(what: string): Promise<string> {
  for await (const line of createInterface({ input: lens.stdout })) {
    const [, address] = new RegExp(`^ {2}${what} +(.*)$`).exec(line) ?? []
    if (address !== undefined) return address
  }
  throw new Error('Lens ended before it was ready')
}

/** User and system time of Lens with all its threads, from /proc. */
function cpuMs(): number {
  const fields =
    readFileSync(`/proc/${String(lens.pid)}/stat`, 'utf8')
      .split(') ')[1]
      ?.split(' ') ?? []
  const ticksPerSecond = 100
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / ticksPerSecond
}

async function send(count: number): Promise<void> {
  let next = 0
  const sendRest = async (): Promise<void> => {
    while (next < count) await post(bodies[next++ % bodies.length] ?? new Uint8Array(0))
  }
  await Promise.all(Array.from({ length: Number(values['in-flight']) }, sendRest))
}

function post(body: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/x-protobuf', 'content-length': body.length }
    const outgoing = request(`${url}/v1/traces`, { method: 'POST', agent, headers }, (response) => {
      response.resume()
      response.once('end', () =>
        response.statusCode === 200 ? resolve() : reject(new Error(`${response.statusCode}`)),
      )
    })
    outgoing.once('error', reject)
    outgoing.end(body)
  })
}

/** Server spans with 8 attributes, 8 to a trace. */
function traces(count: number): TracesData {
  const none = { attributes: [], droppedAttributesCount: 0 }
  const nowNano = BigInt(Date.now()) * 1_000_000n
  let traceId = ''
  const spans = Array.from({ length: count }, (_, i) => {
    if (i % 8 === 0) traceId = randomBytes(16).toString('hex')
    return {
      traceId,
      spanId: randomBytes(8).toString('hex'),
      parentSpanId: i % 8 === 0 ? '' : randomBytes(8).toString('hex'),
      traceState: '',
      flags: 0x101,
      name: 'GET /api/node/:target/hostname',
      kind: 2,
      startTimeUnixNano: nowNano + BigInt(i) * 1000n,
      endTimeUnixNano: nowNano + BigInt(i) * 1000n + 1_234_567n,
      attributes: [
        { key: 'http.request.method', value: 'GET' },
        { key: 'http.route', value: '/api/node/:target/hostname' },
        { key: 'url.scheme', value: 'http' },
        { key: 'url.path', value: `/api/node/web-${i}/hostname` },
        { key: 'server.address', value: 'api.example.com' },
        { key: 'server.port', value: 8080 },
        { key: 'network.protocol.version', value: '1.1' },
        { key: 'http.response.status_code', value: 200 },
      ],
      droppedAttributesCount: 0,
      events: [],
      droppedEventsCount: 0,
      links: [],
      droppedLinksCount: 0,
      status: { code: 0, message: '' },
    }
  })
  const resource = { attributes: [{ key: 'service.name', value: 'bench' }], droppedAttributesCount: 0 }
  const scope = { ...none, name: 'bench', version: '1' }
  return { resourceSpans: [{ resource, schemaUrl: '', scopeSpans: [{ scope, schemaUrl: '', spans }] }] }
}
