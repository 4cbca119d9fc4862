// What tracing adds to one short command: `osapi client node hostname` as a fresh process against an API that answers at
// once, with tracing off, on with ids only, and exporting by gRPC to a receiver that takes everything, in turns: by a spool
// folder and the detached flusher, as is the default, and within the command.
// Usage, after a build: node bench/dist/load/osapi-command.js [rounds]
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { median } from '../report/results.ts'

const osapi = fileURLToPath(new URL('../../../apps/osapi/dist/bin.js', import.meta.url))
const rounds = Number(process.argv[2] ?? 15)

// In a thread of its own: this one waits for each command synchronously.
const peers = new Worker(
  `const http = require('node:http'); const http2 = require('node:http2'); const { parentPort } = require('node:worker_threads')
  let spanRequests = 0
  const body = JSON.stringify({ job_id: '550e8400-e29b-41d4-a716-446655440000', results: [{ hostname: 'h', status: 'ok' }] })
  const api = http.createServer((_request, response) => response.setHeader('content-type', 'application/json').end(body))
  const receiver = http2.createServer().on('stream', (stream) => {
    stream.resume().on('end', () => {
      spanRequests++
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
      stream.end(Buffer.alloc(5))
    })
  })
  api.listen(0, '127.0.0.1', () => receiver.listen(0, '127.0.0.1', () => {
    parentPort.postMessage({ api: api.address().port, receiver: receiver.address().port })
  }))
  parentPort.on('message', () => parentPort.postMessage(spanRequests))`,
  { eval: true },
)
const heard = <T>() => new Promise<T>((resolve) => peers.once('message', resolve))
const ports = await heard<{ api: number; receiver: number }>()

const folder = mkdtempSync(join(tmpdir(), 'osapi-command-'))
const configPath = join(folder, 'osapi.yaml')
const client = { url: `http://127.0.0.1:${ports.api}`, security: { bearer_token: 'none' } }
writeFileSync(configPath, JSON.stringify({ controller: { client } }))

const otlp = { EXPORTER: 'otlp', OTLP_ENDPOINT: `127.0.0.1:${ports.receiver}` }
const variants: Record<string, Record<string, string>> = {
  'tracing off': {},
  'ids only': { ENABLED: 'true' },
  'OTLP, spool': { ENABLED: 'true', ...otlp, SPOOL_DIR: join(folder, 'spool') },
  'OTLP, no spool': { ENABLED: 'true', ...otlp, SPOOL_DIR: 'off' },
}
const wallMs = new Map<string, number[]>(Object.keys(variants).map((name) => [name, []]))
for (let round = -1; round < rounds; round++)
  for (const [name, settings] of Object.entries(variants)) {
    const elapsedMs = run(settings)
    // The first round warms the disk cache and is not counted.
    if (round >= 0) wallMs.get(name)?.push(elapsedMs)
  }
// The flusher ends by itself, and takes its file with it.
while (existsSync(join(folder, 'spool', 'traces', 'flusher'))) await setTimeout(100)
// A MessagePort of node:worker_threads has no target origin.
// oxlint-disable-next-line unicorn/require-post-message-target-origin
peers.postMessage('count')
const exportCount = await heard<number>()
await peers.terminate()
rmSync(folder, { recursive: true })

const off = median(wallMs.get('tracing off') ?? [])
console.log(
  `node ${process.version}, ${rounds} interleaved fresh processes, wall milliseconds, median (least)`,
)
for (const [name, values] of wallMs) {
  const added = (median(values) - off).toFixed(1)
  console.log(
    `${name.padEnd(16)} ${median(values).toFixed(1)} (${Math.min(...values).toFixed(1)})   +${added}`,
  )
}
console.log(
  `exports received: ${exportCount}; at most ${2 * (rounds + 1)}, since the flusher sends several at once`,
)

function run(settings: Record<string, string>): number {
  const env = { ...process.env }
  for (const [key, value] of Object.entries(settings)) env[`OSAPI_TELEMETRY_TRACING_${key}`] = value
  const startMs = performance.now()
  const args = [osapi, 'client', 'node', 'hostname', '-f', configPath]
  const { status, stderr } = spawnSync(process.execPath, args, { env, encoding: 'utf8' })
  if (status !== 0) throw new Error(`the command ended with ${String(status)}: ${stderr}`)
  return performance.now() - startMs
}
