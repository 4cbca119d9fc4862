import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { describe, it, type TestContext } from 'node:test'
import { status } from '@grpc/grpc-js'
import { decodeTraces, encodeExportTraceResponse, encodeStatus } from '@throughline/otlp'
import type { OtlpExporterOptions } from './options.ts'
import { createOtlpExporter, type OtlpExporter } from './otlp-exporter.ts'
import { type GrpcResponder, startGrpcPeer } from './testing/grpc-peer.ts'
import { accept, startHttpPeer } from './testing/http-peer.ts'
import { testSpan } from './testing/span.ts'

// What a collector can say, as the program sees it: its account, and the lines that its operator reads.

function start(
  t: TestContext,
  options: Partial<OtlpExporterOptions> & { endpoint: string },
): { exporter: OtlpExporter; said: string[] } {
  const said: string[] = []
  const exporter = createOtlpExporter({
    protocol: 'http/protobuf',
    resource: {},
    clock: { originUnixNano: 0n },
    retry: { initialDelayMs: 5, delayMsMax: 10 },
    scheduleDelayMs: 100_000,
    diagnostics: (message) => said.push(message),
    ...options,
  })
  t.after(() => exporter.shutdown({ timeoutMs: 0 }))
  return { exporter, said }
}

/** For a busy machine: what is awaited ends it. */
const patient = { timeoutMs: 60_000 }

/** 20 chunks of a quarter of a mebibyte. */
function endManyLargeSpans(exporter: OtlpExporter): number {
  for (let index = 0; index < 500; index++)
    exporter.onEnd(testSpan(index, { flatAttributes: ['payload', 'x'.repeat(10_000)] }))
  return 500
}

function spanCount(body: Uint8Array): number {
  const resourceSpans = decodeTraces(body).value?.resourceSpans ?? []
  return resourceSpans
    .flatMap(({ scopeSpans }) => scopeSpans.map(({ spans }) => spans.length))
    .reduce((sum, count) => sum + count, 0)
}

describe('a collector that takes less at once than we send', () => {
  const takenBytesMax = 300_000

  it('gets it in smaller requests, HTTP 413', async (t) => {
    let refusedCount = 0
    let takenCount = 0
    const peer = await startHttpPeer((response, request, index) => {
      if (request.body.length > takenBytesMax) {
        refusedCount++
        response.writeHead(413).end('request entity too large')
      } else {
        takenCount += spanCount(request.body)
        accept(response, request, index)
      }
    })
    t.after(peer.stop)
    const { exporter, said } = start(t, { endpoint: peer.url })
    const count = endManyLargeSpans(exporter)
    assert.deepEqual(await exporter.forceFlush(patient), { undeliveredItemCount: 0 })
    assert.equal(takenCount, count)
    assert.ok(refusedCount > 0, 'nothing was too large: the test shows nothing')
    assert.equal(exporter.ledger().delivered, count)
    assert.deepEqual(said, [])
  })

  it('gets it in smaller requests, a gRPC server with a limit', async (t) => {
    const peer = await startGrpcPeer(() => Buffer.alloc(0), {
      server: { 'grpc.max_receive_message_length': takenBytesMax },
    })
    t.after(peer.stop)
    const { exporter, said } = start(t, { endpoint: peer.endpoint, protocol: 'grpc' })
    const count = endManyLargeSpans(exporter)
    assert.deepEqual(await exporter.forceFlush(patient), { undeliveredItemCount: 0 })
    assert.equal(
      peer.requests.map(({ body }) => spanCount(body)).reduce((sum, one) => sum + one, 0),
      count,
    )
    assert.deepEqual(said, [])
  })

  it('and never gets a single span that is too large for it: that one is dropped and told', async (t) => {
    const peer = await startHttpPeer((response, request, index) => {
      if (request.body.length > 1000) response.writeHead(413).end('too large')
      else accept(response, request, index)
    })
    t.after(peer.stop)
    const { exporter, said } = start(t, { endpoint: peer.url })
    exporter.onEnd(testSpan(0, { flatAttributes: ['payload', 'x'.repeat(2000)] }))
    assert.deepEqual(await exporter.forceFlush(patient), { undeliveredItemCount: 1 })
    exporter.onEnd(testSpan(1))
    assert.deepEqual(await exporter.forceFlush(patient), { undeliveredItemCount: 0 })
    assert.deepEqual(exporter.ledger().dropped, { http_413: 1 })
    assert.deepEqual(said, ['throughline: dropped 1 span (http_413): HTTP 413: too large'])
  })

  it('by gRPC too, as servers in Go and in Rust say it', async (t) => {
    for (const [code, details] of [
      [status.RESOURCE_EXHAUSTED, 'grpc: received message larger than max (5000 vs. 1000)'],
      [status.OUT_OF_RANGE, 'Error, decoded message length too large: found 5000 bytes'],
    ] as const) {
      const peer = await startGrpcPeer(() => ({ code, details }))
      t.after(peer.stop)
      const { exporter, said } = start(t, { endpoint: peer.endpoint, protocol: 'grpc' })
      exporter.onEnd(testSpan(0))
      assert.deepEqual(await exporter.forceFlush(patient), { undeliveredItemCount: 1 })
      const reason = `grpc_${status[code]}`
      assert.deepEqual(exporter.ledger().dropped, { [reason]: 1 })
      assert.deepEqual(said, [`throughline: dropped 1 span (${reason}): gRPC ${status[code]}: ${details}`])
    }
  })
})

const protobuf = { 'content-type': 'application/x-protobuf' }
const json = { 'content-type': 'application/json' }
const warning = encodeExportTraceResponse({
  partialSuccess: { rejectedSpans: 0, errorMessage: 'clock skew, look at it' },
})
const partial = encodeExportTraceResponse({ partialSuccess: { rejectedSpans: 2, errorMessage: 'too old' } })

describe('one answer over HTTP: what the ledger and the operator see of three spans', () => {
  const cases: [string, (response: ServerResponse) => void, Record<string, number>, RegExp[]][] = [
    [
      'partial success',
      (response) => response.writeHead(200, protobuf).end(partial),
      { rejected: 2 },
      [/dropped 2 spans \(rejected\): too old$/],
    ],
    [
      'partial success that rejects nothing is a warning',
      (response) => response.writeHead(200, protobuf).end(warning),
      {},
      [/v1\/traces says: clock skew, look at it$/],
    ],
    [
      'partial success in JSON, the count as text',
      (response) =>
        response
          .writeHead(200, json)
          .end('{"partialSuccess":{"rejectedSpans":"2","errorMessage":"too old"}}'),
      { rejected: 2 },
      [/dropped 2 spans \(rejected\): too old$/],
    ],
    [
      'more rejected than sent',
      (response) =>
        response.writeHead(200, json).end('{"partialSuccess":{"rejectedSpans":99,"errorMessage":""}}'),
      { rejected: 3 },
      [/dropped (?:3|99) spans \(rejected\)$/],
    ],
    [
      'JSON that is none',
      (response) => response.writeHead(200, json).end('{"partial'),
      {},
      [/says: the answer is no OTLP response/],
    ],
    [
      '403 with the message of an API gateway',
      (response) => response.writeHead(403, json).end('{"message":"forbidden: wrong key"}'),
      { http_403: 3 },
      [/dropped 3 spans \(http_403\): HTTP 403: forbidden: wrong key$/],
    ],
    [
      '404 of a server without this path',
      (response) => response.writeHead(404).end('404 page not found\n'),
      { http_404: 3 },
      [/dropped 3 spans \(http_404\): HTTP 404: 404 page not found$/],
    ],
    [
      'a redirect',
      (response) => response.writeHead(302, { location: 'https://sso.example/login' }).end(),
      { http_302: 3 },
      [/HTTP 302: redirected to https:\/\/sso\.example\/login; name that address if it is the right one$/],
    ],
    [
      '100 Continue, and then what it has to say',
      (response) => {
        response.writeContinue()
        response.writeHead(200, protobuf).end()
      },
      {},
      [],
    ],
  ]
  for (const [what, answer, dropped, lines] of cases)
    it(what, async (t) => {
      const peer = await startHttpPeer(answer)
      t.after(peer.stop)
      const { exporter, said } = start(t, { endpoint: peer.url })
      for (let index = 0; index < 3; index++) exporter.onEnd(testSpan(index))
      await exporter.forceFlush(patient)
      const ledger = exporter.ledger()
      const droppedCount = Object.values(dropped).reduce((sum, count) => sum + count, 0)
      assert.deepEqual(ledger.dropped, dropped)
      assert.equal(ledger.delivered, 3 - droppedCount)
      assert.equal(peer.requests.length, 1, 'sent once')
      assert.equal(said.length, lines.length, said.join('\n'))
      for (const [index, line] of lines.entries()) assert.match(said[index] ?? '', line)
    })

  it('an answer that comes drop by drop ends at the time limit, and the request is sent again', async (t) => {
    const peer = await startHttpPeer((response, request, index) => {
      if (index > 0) {
        accept(response, request, index)
        return
      }
      response.writeHead(200, { 'content-length': 1_000_000 })
      const drops = setInterval(() => response.write('x'), 5)
      response.on('close', () => clearInterval(drops))
    })
    t.after(peer.stop)
    const { exporter, said } = start(t, { endpoint: peer.url, timeoutMs: 300 })
    exporter.onEnd(testSpan(0))
    assert.deepEqual(await exporter.forceFlush(patient), { undeliveredItemCount: 0 })
    assert.match(said[0] ?? '', /no complete answer within 300 ms; 1 span waits/)
  })
})

describe('one answer over gRPC: what the ledger and the operator see of three spans', () => {
  const cases: [string, ReturnType<GrpcResponder>, Record<string, number>, RegExp[]][] = [
    ['partial success', Buffer.from(partial), { rejected: 2 }, [/dropped 2 spans \(rejected\): too old$/]],
    ['a warning', Buffer.from(warning), {}, [/says: clock skew, look at it$/]],
    [
      'UNAUTHENTICATED',
      withDetails(status.UNAUTHENTICATED, 'no key'),
      { grpc_UNAUTHENTICATED: 3 },
      [/dropped 3 spans \(grpc_UNAUTHENTICATED\): gRPC UNAUTHENTICATED: no key$/],
    ],
    [
      'RESOURCE_EXHAUSTED without RetryInfo: the quota is used up',
      withDetails(status.RESOURCE_EXHAUSTED, 'quota'),
      { grpc_RESOURCE_EXHAUSTED: 3 },
      [/dropped 3 spans \(grpc_RESOURCE_EXHAUSTED\): gRPC RESOURCE_EXHAUSTED: quota$/],
    ],
    [
      'UNIMPLEMENTED: no trace service here',
      withDetails(status.UNIMPLEMENTED, 'unknown service'),
      { grpc_UNIMPLEMENTED: 3 },
      [/dropped 3 spans \(grpc_UNIMPLEMENTED\): gRPC UNIMPLEMENTED: unknown service$/],
    ],
  ]
  for (const [what, answer, dropped, lines] of cases)
    it(what, async (t) => {
      const peer = await startGrpcPeer(() => answer)
      t.after(peer.stop)
      const { exporter, said } = start(t, { endpoint: peer.endpoint, protocol: 'grpc' })
      for (let index = 0; index < 3; index++) exporter.onEnd(testSpan(index))
      await exporter.forceFlush(patient)
      assert.deepEqual(exporter.ledger().dropped, dropped)
      assert.equal(peer.requests.length, 1, 'sent once')
      assert.equal(said.length, lines.length, said.join('\n'))
      for (const [index, line] of lines.entries()) assert.match(said[index] ?? '', line)
    })
})

describe('a collector that asks for time', () => {
  it('is sent nothing before, and then everything: Retry-After', async (t) => {
    const peer = await startHttpPeer((response, request, index) => {
      if (index === 0) response.writeHead(429, { ...protobuf, 'retry-after': '0' }).end(encodeStatus(busy))
      else accept(response, request, index)
    })
    t.after(peer.stop)
    const { exporter, said } = start(t, { endpoint: peer.url })
    exporter.onEnd(testSpan(0))
    assert.deepEqual(await exporter.forceFlush(patient), { undeliveredItemCount: 0 })
    assert.match(said[0] ?? '', /cannot export to .*: HTTP 429: busy; 1 span waits/)
    assert.match(said[1] ?? '', /works again/)
    assert.equal(exporter.ledger().delivered, 1)
  })
})

function withDetails(code: status, message: string): ReturnType<GrpcResponder> {
  return { code, details: message }
}

const busy = { code: 8, message: 'busy', retryDelayMs: undefined }
