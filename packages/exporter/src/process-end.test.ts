import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { decodeTraces } from '@throughline/otlp'
import { startGrpcPeer } from './testing/grpc-peer.ts'
import { accept, startHttpPeer, unusedPort } from './testing/http-peer.ts'
import { type ProgramEnd, runProgram } from './testing/run-program.ts'

/** Runs a program with an exporter of these options until it ends by itself. */
async function run(
  exporter: object,
  program: string,
  nodeArgs: readonly string[] = [],
): Promise<Omit<ProgramEnd, 'signal'>> {
  const { code, stdout, stderr } = await runProgram(program, { exporter, nodeArgs })
  return { code, stdout, stderr }
}

function spanIds(bodies: readonly Uint8Array[]): Set<string> {
  const spans = bodies.flatMap((body) =>
    (decodeTraces(body).value?.resourceSpans ?? []).flatMap(({ scopeSpans }) =>
      scopeSpans.flatMap((scope) => scope.spans),
    ),
  )
  assert.equal(new Set(spans.map(({ spanId }) => spanId)).size, spans.length, 'nothing arrives twice')
  return new Set(spans.map(({ spanId }) => spanId))
}

describe('the end of the process', () => {
  it('5,000 spans in a burst all arrive over HTTP, and the process ends by itself', async (t) => {
    const peer = await startHttpPeer(accept)
    t.after(peer.stop)
    const end = await run({ endpoint: peer.url }, 'endSpans(5000)')
    assert.deepEqual(end, { code: 0, stdout: '', stderr: '' })
    assert.equal(spanIds(peer.requests.map(({ body }) => body)).size, 5000)
  })

  it('5,000 spans in a burst all arrive over gRPC, and the process ends by itself', async (t) => {
    const peer = await startGrpcPeer(() => Buffer.alloc(0))
    t.after(peer.stop)
    const end = await run({ endpoint: peer.endpoint, protocol: 'grpc' }, 'endSpans(5000)')
    assert.deepEqual(end, { code: 0, stdout: '', stderr: '' })
    assert.equal(spanIds(peer.requests.map(({ body }) => body)).size, 5000)
  })

  it('a running export thread without spans keeps nothing alive', async () => {
    const end = await run({ endpoint: `127.0.0.1:${await unusedPort()}` }, 'exporter.start()')
    assert.deepEqual(end, { code: 0, stdout: '', stderr: '' })
  })

  it('a kept connection keeps nothing alive', async (t) => {
    for (const protocol of ['grpc', 'http/protobuf'] as const) {
      const grpcPeer = await startGrpcPeer(() => Buffer.alloc(0))
      const httpPeer = await startHttpPeer(accept)
      t.after(grpcPeer.stop)
      t.after(httpPeer.stop)
      const endpoint = protocol === 'grpc' ? grpcPeer.endpoint : httpPeer.url
      const end = await run(
        { endpoint, protocol },
        'endSpans(1); await exporter.forceFlush(); console.log(exporter.ledger().delivered)',
      )
      assert.deepEqual(end, { code: 0, stdout: '1\n', stderr: '' })
    }
  })

  it('a collector that refuses connections holds the end up for one attempt only', async () => {
    const port = await unusedPort()
    const end = await run({ endpoint: `127.0.0.1:${port}`, exitTimeoutMs: 1_000_000 }, 'endSpans(2)')
    assert.equal(end.code, 0)
    assert.deepEqual(end.stderr.trimEnd().split('\n'), [
      `throughline: cannot export to http://127.0.0.1:${port}/v1/traces: connect ECONNREFUSED 127.0.0.1:${port}; 2 spans wait, trying again`,
      'throughline: the process ends with 2 spans not delivered; await shutdown() before it does',
    ])
  })

  it('a collector that hangs holds the end up for the exit timeout only', async (t) => {
    const peer = await startHttpPeer(() => {})
    t.after(peer.stop)
    const end = await run({ endpoint: peer.url, timeoutMs: 1_000_000, exitTimeoutMs: 100 }, 'endSpans(2)')
    assert.equal(end.code, 0)
    assert.match(end.stderr, /ends with 2 spans not delivered/)
  })

  it('with an exit timeout of 0 the end is not held up, but told', async (t) => {
    const peer = await startHttpPeer(accept)
    t.after(peer.stop)
    const end = await run({ endpoint: peer.url, exitTimeoutMs: 0 }, 'endSpans(2)')
    assert.match(end.stderr, /ends with 2 spans not delivered/)
    assert.equal(peer.requests.length, 0)
  })

  it('process.exit tells what it loses, and an awaited shutdown loses nothing', async (t) => {
    const peer = await startHttpPeer(accept)
    t.after(peer.stop)
    const options = { endpoint: peer.url, abruptExitTimeoutMs: 0 }
    const lost = await run(options, 'endSpans(2); process.exit(5)')
    assert.equal(lost.code, 5)
    assert.match(lost.stderr, /ends with 2 spans not delivered/)
    const kept = await run({ endpoint: peer.url }, 'endSpans(2); await exporter.shutdown(); process.exit(5)')
    assert.deepEqual(kept, { code: 5, stdout: '', stderr: '' })
    assert.equal(spanIds(peer.requests.map(({ body }) => body)).size, 2)
  })

  it('an awaited shutdown holds the process, however long the collector takes within the timeout', async (t) => {
    const peer = await startHttpPeer((response, request, index) => {
      setTimeout(() => accept(response, request, index), 300)
    })
    t.after(peer.stop)
    const end = await run({ endpoint: peer.url, exitTimeoutMs: 0 }, 'endSpans(2); await exporter.shutdown()')
    assert.deepEqual(end, { code: 0, stdout: '', stderr: '' })
    assert.equal(peer.requests.length, 1)
  })

  it("runs none of the host's loader flags in the export thread, and no I/O on the host's thread", async (t) => {
    const peer = await startHttpPeer(accept)
    t.after(peer.stop)
    const flag = `data:text/javascript,${encodeURIComponent(`
      import { isMainThread } from 'node:worker_threads'
      import { subscribe } from 'node:diagnostics_channel'
      process._rawDebug('loaded in the main thread: ' + isMainThread)
      for (const name of ['http.client.request.start', 'net.client.socket', 'undici:request:create'])
        subscribe(name, () => process._rawDebug(name))`)}`
    const end = await run({ endpoint: peer.url }, 'endSpans(2); await exporter.shutdown()', [
      '--import',
      flag,
    ])
    assert.deepEqual(end, { code: 0, stdout: '', stderr: 'loaded in the main thread: true\n' })
    assert.equal(peer.requests.length, 1)
  })
})
