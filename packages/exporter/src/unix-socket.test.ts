import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import {
  createServer as createHttp2Server,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2'
import type { Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { createOtlpExporter } from './otlp-exporter.ts'
import { testSpan } from './testing/span.ts'

async function listen(t: TestContext, server: Server): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'throughline-unix-'))
  const path = join(folder, 'otel.sock')
  await new Promise<void>((resolve) => server.listen(path, resolve))
  t.after(() => {
    server.close()
    rmSync(folder, { recursive: true })
  })
  return path
}

async function exportOne(path: string, protocol: 'grpc' | 'http/protobuf'): Promise<string[]> {
  const said: string[] = []
  const exporter = createOtlpExporter({
    endpoint: `unix://${path}`,
    protocol,
    resource: {},
    clock: { originUnixNano: 0n },
    diagnostics: (message) => said.push(message),
  })
  exporter.onEnd(testSpan(0))
  await exporter.shutdown({ retry: false, timeoutMs: 60_000 })
  return exporter.ledger().delivered === 1 ? ['delivered'] : said
}

describe('a unix socket', () => {
  it('takes OTLP/HTTP, as the host localhost', async (t) => {
    const seen: unknown[] = []
    const server = createServer((request, response) => {
      seen.push(request.headers.host, request.url)
      request.resume().on('end', () => response.end())
    })
    t.after(() => server.closeAllConnections())
    assert.deepEqual(await exportOne(await listen(t, server), 'http/protobuf'), ['delivered'])
    assert.deepEqual(seen, ['localhost', '/v1/traces'])
  })

  it('takes gRPC', async (t) => {
    const server = createHttp2Server()
    const sessions: ServerHttp2Session[] = []
    server.on('session', (session) => sessions.push(session))
    server.on('stream', (stream: ServerHttp2Stream) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
      stream.resume().on('end', () => stream.end(Buffer.alloc(5)))
    })
    t.after(() => {
      for (const session of sessions) session.destroy()
    })
    assert.deepEqual(await exportOne(await listen(t, server), 'grpc'), ['delivered'])
  })

  it('that nobody listens on is named as it was given', async () => {
    const [line = ''] = await exportOne('/nonexistent/otel.sock', 'http/protobuf')
    assert.match(line, /cannot export to unix:\/\/\/nonexistent\/otel\.sock: connect ENOENT/)
  })
})
