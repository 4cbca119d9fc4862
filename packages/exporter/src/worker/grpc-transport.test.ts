import assert from 'node:assert/strict'
import { once } from 'node:events'
import * as http2 from 'node:http2'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { after, describe, it } from 'node:test'
import * as grpc from '@grpc/grpc-js'
import { encodeExportTraceResponse, encodeStatus } from '@throughline/otlp'
import type { WorkerConfig } from '../messages.ts'
import { type GrpcResponder, startGrpcPeer } from '../testing/grpc-peer.ts'
import { accept, startHttpPeer, unusedPort } from '../testing/http-peer.ts'
import { workerConfig } from '../testing/worker-config.ts'
import { type Answer, answerBytesMax, type Transport } from './answer.ts'
import { openCredentials } from './credentials.ts'
import { createGrpcTransport } from './grpc-transport.ts'

const request = new Uint8Array([1, 2, 3])
const accepted: Answer = { kind: 'accepted', rejectedItemCount: 0, note: '' }
const closers: (() => unknown)[] = []
after(() => {
  for (const close of closers) close()
})

function transportTo(port: number, changes: Partial<WorkerConfig> = {}): Transport {
  const config = workerConfig({ protocol: 'grpc', url: `http://127.0.0.1:${port}/`, ...changes })
  const transport = createGrpcTransport(
    config,
    openCredentials(config, () => {}),
  )
  closers.push(transport.close)
  return transport
}

async function answerTo(respond: GrpcResponder, changes: Partial<WorkerConfig> = {}): Promise<Answer> {
  const peer = await startGrpcPeer(respond)
  closers.push(peer.stop)
  return await transportTo(peer.port, changes).send(request)
}

/** The answer of an HTTP/2 server that does not have to keep to gRPC. */
async function answerFromStream(onStream: (stream: http2.ServerHttp2Stream) => void): Promise<Answer> {
  const server = http2.createServer()
  const sessions: http2.ServerHttp2Session[] = []
  server.on('session', (session) => sessions.push(session))
  server.on('stream', (stream) => {
    stream.on('error', () => {})
    stream.resume()
    stream.on('end', () => onStream(stream))
  })
  const port = await listen(server)
  closers.push(() => {
    for (const session of sessions) session.destroy()
    server.close()
  })
  return await transportTo(port).send(request)
}

async function answerFromSocket(onData: (socket: Socket) => void): Promise<Answer> {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => onData(socket))
  })
  const port = await listen(server)
  closers.push(() => server.close())
  return await transportTo(port).send(request)
}

async function listen(server: {
  listen(port: number, host: string, done: () => void): unknown
  address(): unknown
}) {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port // A TCP server's address is never a string.
}

/** google.rpc.RetryInfo in a google.rpc.Status, as servers put it into grpc-status-details-bin. */
function statusWith(code: grpc.status, details: string, retryDelayMs?: number): Partial<grpc.StatusObject> {
  const metadata = new grpc.Metadata()
  if (retryDelayMs !== undefined)
    metadata.set(
      'grpc-status-details-bin',
      Buffer.from(encodeStatus({ code, message: details, retryDelayMs })),
    )
  return { code, details, metadata }
}

describe('gRPC transport: what it sends', () => {
  it('calls TraceService/Export with the bytes, the headers and its timeout', async () => {
    const peer = await startGrpcPeer(() => Buffer.alloc(0))
    closers.push(peer.stop)
    const transport = transportTo(peer.port, { headers: { 'x-api-key': 'secret' }, timeoutMs: 4_000 })
    assert.deepEqual(await transport.send(request), accepted)
    const [received] = peer.requests
    assert.deepEqual([...(received?.body ?? [])], [1, 2, 3])
    assert.deepEqual(received?.metadata.get('x-api-key'), ['secret'])
  })

  it('compresses when asked to, a real server decompresses', async () => {
    const peer = await startGrpcPeer(() => Buffer.alloc(0))
    closers.push(peer.stop)
    const body = new Uint8Array(500_000).fill(7)
    assert.deepEqual(await transportTo(peer.port, { compression: 'gzip' }).send(body), accepted)
    assert.ok(peer.requests[0]?.body.equals(body))
  })

  it('sends a message that is larger than the flow control windows', async () => {
    const peer = await startGrpcPeer(() => Buffer.alloc(0))
    closers.push(peer.stop)
    const body = new Uint8Array(3_000_000).map((_value, index) => index)
    assert.deepEqual(await transportTo(peer.port).send(body), accepted)
    assert.ok(peer.requests[0]?.body.equals(body))
  })

  it('connects again after the server has gone and come back', async () => {
    const first = await startGrpcPeer(() => Buffer.alloc(0))
    const transport = transportTo(first.port)
    assert.deepEqual(await transport.send(request), accepted)
    first.stop()
    assert.equal((await transport.send(request)).kind, 'retry')
    const second = await startGrpcPeer(() => Buffer.alloc(0), { port: first.port })
    closers.push(second.stop)
    let answer = await transport.send(request)
    // The loss of the old connection may show only now.
    if (answer.kind === 'retry') answer = await transport.send(request)
    assert.deepEqual(answer, accepted)
  })

  it('opens another connection after GOAWAY', async () => {
    let sessionCount = 0
    const server = http2.createServer()
    server.on('session', () => sessionCount++)
    server.on('stream', (stream) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
      stream.on('wantTrailers', () => {
        stream.sendTrailers({ 'grpc-status': '0' })
        stream.session?.goaway()
      })
      stream.end(Buffer.from([0, 0, 0, 0, 0]))
    })
    const transport = transportTo(await listen(server))
    closers.push(() => server.close())
    assert.deepEqual(await transport.send(request), accepted)
    let answer = await transport.send(request)
    if (answer.kind === 'retry') answer = await transport.send(request)
    assert.deepEqual(answer, accepted)
    assert.equal(sessionCount, 2)
  })
})

describe('gRPC transport: what it makes of answers', () => {
  it('reads partial success', async () => {
    const body = Buffer.from(
      encodeExportTraceResponse({ partialSuccess: { rejectedSpans: 2, errorMessage: 'too old' } }),
    )
    assert.deepEqual(await answerTo(() => body), {
      kind: 'accepted',
      rejectedItemCount: 2,
      note: 'too old',
    })
  })

  for (const name of [
    'CANCELLED',
    'DEADLINE_EXCEEDED',
    'ABORTED',
    'OUT_OF_RANGE',
    'UNAVAILABLE',
    'DATA_LOSS',
  ] as const)
    it(`retries ${name}`, async () => {
      assert.deepEqual(await answerTo(() => statusWith(grpc.status[name], 'größer %')), {
        kind: 'retry',
        cause: `gRPC ${name}: größer %`,
        delayMs: undefined,
      })
    })

  for (const name of [
    'UNKNOWN',
    'INVALID_ARGUMENT',
    'NOT_FOUND',
    'ALREADY_EXISTS',
    'PERMISSION_DENIED',
    'RESOURCE_EXHAUSTED',
    'FAILED_PRECONDITION',
    'UNIMPLEMENTED',
    'INTERNAL',
    'UNAUTHENTICATED',
  ] as const)
    it(`refuses ${name}`, async () => {
      assert.deepEqual(await answerTo(() => statusWith(grpc.status[name], 'no')), {
        kind: 'refused',
        cause: `gRPC ${name}: no`,
        reason: `grpc_${name}`,
      })
    })

  it('waits as long as RetryInfo says, and then RESOURCE_EXHAUSTED is retried too', async () => {
    for (const name of ['UNAVAILABLE', 'RESOURCE_EXHAUSTED'] as const)
      assert.deepEqual(await answerTo(() => statusWith(grpc.status[name], 'busy', 2500)), {
        kind: 'retry',
        cause: `gRPC ${name}: busy`,
        delayMs: 2500,
      })
  })

  it('reads a trailers-only answer', async () => {
    const answer = await answerFromStream((stream) =>
      stream.respond(
        {
          ':status': 200,
          'content-type': 'application/grpc',
          'grpc-status': '16',
          'grpc-message': 'no%20key',
        },
        { endStream: true },
      ),
    )
    assert.deepEqual(answer, {
      kind: 'refused',
      cause: 'gRPC UNAUTHENTICATED: no key',
      reason: 'grpc_UNAUTHENTICATED',
    })
  })

  it('maps the HTTP status of a proxy', async () => {
    assert.deepEqual(await answerFromStream(respondWith(503)), {
      kind: 'retry',
      cause: 'HTTP 503 without a gRPC status',
      delayMs: undefined,
    })
    assert.deepEqual(await answerFromStream(respondWith(404)), {
      kind: 'refused',
      cause: 'HTTP 404 without a gRPC status',
      reason: 'grpc_UNIMPLEMENTED',
    })
  })

  it('counts status 0 with an undecodable message as accepted, and tells', async () => {
    const answer = await answerTo(() => Buffer.alloc(9, 0xff))
    assert.equal(answer.kind, 'accepted')
    assert.match(answer.kind === 'accepted' ? answer.note : '', /no OTLP response/)
  })

  it('stops reading an answer that is too large', async () => {
    const answer = await answerTo(() => Buffer.alloc(answerBytesMax + 1))
    assert.equal(answer.kind === 'refused' && answer.reason, 'answer_too_large')
  })
})

describe('gRPC transport: no answer is a retry', () => {
  it('nobody listens', async () => {
    const port = await unusedPort()
    assert.equal(causeOf(await transportTo(port).send(request)), `connect ECONNREFUSED 127.0.0.1:${port}`)
  })

  it('the collector hangs, and the next call opens another connection', async () => {
    let callCount = 0
    const peer = await startGrpcPeer(() => (callCount++ === 0 ? undefined : Buffer.alloc(0)))
    closers.push(peer.stop)
    const transport = transportTo(peer.port, { timeoutMs: 100 })
    // grpc-js ends the call at grpc-timeout by itself, so that either side's timeout may show.
    assert.match(causeOf(await transport.send(request)), /no complete answer within 100 ms|DEADLINE_EXCEEDED/)
    // A machine that is busy enough runs into 100 ms once more.
    let answer = await transport.send(request)
    while (answer.kind === 'retry') answer = await transport.send(request)
    assert.deepEqual(answer, accepted)
  })

  it('the connection is accepted and nothing comes', async () => {
    let closed: Promise<unknown> | undefined
    const server = createServer((socket) => {
      closed = once(socket.resume(), 'close')
    })
    const port = await listen(server)
    closers.push(() => server.close())
    const answer = await transportTo(port, { timeoutMs: 50 }).send(request)
    assert.equal(causeOf(answer), 'no complete answer within 50 ms')
    await closed
  })

  it('the connection is reset', async () => {
    assert.match(
      causeOf(await answerFromSocket((socket) => socket.resetAndDestroy())),
      /ECONNRESET|closed|cancel/i,
    )
  })

  it('the stream is reset in the middle of the answer', async () => {
    const answer = await answerFromStream((stream) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' })
      stream.write(Buffer.from([0, 0]), () => stream.destroy(new Error('test')))
    })
    assert.match(causeOf(answer), /INTERNAL_ERROR/)
  })

  it('the stream ends without a status', async () => {
    const answer = await answerFromStream((stream) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' })
      stream.end()
    })
    assert.equal(causeOf(answer), 'the stream ended without a gRPC status')
  })

  it('the peer speaks HTTP/1 only', async () => {
    const peer = await startHttpPeer(accept)
    closers.push(peer.stop)
    assert.match(causeOf(await transportTo(peer.port).send(request)), /does this port speak gRPC\?/)
  })
})

function causeOf(answer: Answer): string {
  return answer.kind === 'retry' ? answer.cause : answer.kind
}

function respondWith(status: number): (stream: http2.ServerHttp2Stream) => void {
  return (stream) => stream.respond({ ':status': status, 'content-type': 'text/html' }, { endStream: true })
}
