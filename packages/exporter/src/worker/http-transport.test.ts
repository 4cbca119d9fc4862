import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { after, describe, it } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { encodeExportTraceResponse, encodeStatus } from '@throughline/otlp'
import type { WorkerConfig } from '../messages.ts'
import { accept, type HttpPeer, type HttpResponder, startHttpPeer, unusedPort } from '../testing/http-peer.ts'
import { workerConfig } from '../testing/worker-config.ts'
import { type Answer, answerBytesMax, type Transport } from './answer.ts'
import { openCredentials } from './credentials.ts'
import { createHttpTransport } from './http-transport.ts'

const request = new Uint8Array([1, 2, 3])
const protobuf = { 'content-type': 'application/x-protobuf' }
const closers: (() => unknown)[] = []
after(async () => {
  for (const close of closers) await close()
})

function transportWith(changes: Partial<WorkerConfig> & { url: string }): Transport {
  const config = workerConfig({ protocol: 'http/protobuf', ...changes })
  const transport = createHttpTransport(
    config,
    openCredentials(config, () => {}),
  )
  closers.push(transport.close)
  return transport
}

async function connect(
  respond: HttpResponder,
  changes: Partial<WorkerConfig> = {},
): Promise<{ peer: HttpPeer; transport: Transport }> {
  const peer = await startHttpPeer(respond)
  const transport = transportWith({ url: `${peer.url}/v1/traces`, ...changes })
  closers.push(peer.stop)
  return { peer, transport }
}

async function answerTo(
  respond: (response: ServerResponse) => void,
  changes: Partial<WorkerConfig> = {},
): Promise<Answer> {
  const { transport } = await connect(respond, changes)
  return await transport.send(request)
}

/** The answer to a request on a connection with whose bytes the test does as it likes. */
async function answerFromSocket(onData: (socket: Socket) => void): Promise<Answer> {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => onData(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo // A TCP server's address is never a string.
  const transport = transportWith({ url: `http://127.0.0.1:${port}/` })
  closers.push(() => server.close())
  return await transport.send(request)
}

describe('HTTP transport: what it sends', () => {
  it('posts the bytes with the OTLP content type and the configured headers', async () => {
    const { peer, transport } = await connect(accept, { headers: { 'x-api-key': 'secret' } })
    assert.deepEqual(await transport.send(request), { kind: 'accepted', rejectedItemCount: 0, note: '' })
    const [received] = peer.requests
    assert.deepEqual([...(received?.body ?? [])], [1, 2, 3])
    assert.equal(received?.path, '/v1/traces')
    assert.equal(received?.headers['content-type'], 'application/x-protobuf')
    assert.equal(received?.headers['x-api-key'], 'secret')
  })

  it('compresses when asked to', async () => {
    const { peer, transport } = await connect(accept, { compression: 'gzip' })
    await transport.send(request)
    assert.equal(peer.requests[0]?.headers['content-encoding'], 'gzip')
    assert.deepEqual([...gunzipSync(peer.requests[0]?.body ?? Buffer.alloc(0))], [1, 2, 3])
  })

  it('keeps its connection', async () => {
    const { peer, transport } = await connect(accept)
    for (let index = 0; index < 3; index++) await transport.send(request)
    assert.equal(peer.connectionCount(), 1)
  })

  it('tries again by itself when a kept connection turns out to be closed', async () => {
    const { peer, transport } = await connect((response, _request, index) => {
      if (index === 1) response.socket?.resetAndDestroy()
      else accept(response, _request, index)
    })
    await transport.send(request)
    assert.equal((await transport.send(request)).kind, 'accepted')
    assert.equal(peer.requests.length, 3)
    assert.equal(peer.connectionCount(), 2)
  })
})

describe('HTTP transport: what it makes of answers', () => {
  it('reads partial success', async () => {
    const body = encodeExportTraceResponse({
      partialSuccess: { rejectedSpans: 2, errorMessage: 'clock is wrong' },
    })
    assert.deepEqual(await answerTo((response) => response.writeHead(200, protobuf).end(body)), {
      kind: 'accepted',
      rejectedItemCount: 2,
      note: 'clock is wrong',
    })
  })

  it('does not retry a 200 that is no OTLP answer, but tells', async () => {
    const page = await answerTo((response) =>
      response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>It works!</h1>'),
    )
    assert.deepEqual(page, {
      kind: 'accepted',
      rejectedItemCount: 0,
      note: 'the answer is no OTLP response (content-type text/html)',
    })
    const garbage = await answerTo((response) => response.writeHead(200, protobuf).end(Buffer.alloc(9, 0xff)))
    assert.equal(garbage.kind, 'accepted')
    assert.match(garbage.kind === 'accepted' ? garbage.note : '', /no OTLP response/)
  })

  for (const status of [429, 502, 503, 504])
    it(`retries ${status}`, async () => {
      assert.deepEqual(await answerTo((response) => response.writeHead(status).end()), {
        kind: 'retry',
        cause: `HTTP ${status}`,
        delayMs: undefined,
      })
    })

  for (const status of [400, 401, 403, 404, 500, 501])
    it(`refuses ${status}`, async () => {
      const answer = await answerTo((response) => response.writeHead(status).end('no\u001b[31m\n way'))
      assert.deepEqual(answer, {
        kind: 'refused',
        cause: `HTTP ${status}: no [31m way`,
        reason: `http_${status}`,
      })
    })

  it('says of 413 that less at once may do', async () => {
    assert.deepEqual(await answerTo((response) => response.writeHead(413).end('too much')), {
      kind: 'too-large',
      cause: 'HTTP 413: too much',
      reason: 'http_413',
    })
  })

  it('follows no redirect, and shows where it leads without credentials', async () => {
    for (const [location, shown] of [
      ['https://user:secret@other.example/v1/traces', 'https://other.example/v1/traces'],
      ['/login', '/login'],
    ])
      assert.deepEqual(await answerTo((response) => response.writeHead(307, { location }).end('moved')), {
        kind: 'refused',
        cause: `HTTP 307: redirected to ${shown}; name that address if it is the right one`,
        reason: 'http_307',
      })
  })

  it('shows the message of a google.rpc.Status', async () => {
    const body = encodeStatus({ code: 3, message: 'invalid trace id', retryDelayMs: undefined })
    const answer = await answerTo((response) => response.writeHead(400, protobuf).end(body))
    assert.equal(answer.kind === 'refused' && answer.cause, 'HTTP 400: invalid trace id')
  })

  it('obeys Retry-After in seconds and as a date', async () => {
    const seconds = await answerTo((response) => response.writeHead(429, { 'retry-after': '7' }).end())
    assert.equal(seconds.kind === 'retry' && seconds.delayMs, 7000)
    const date = new Date(Date.now() + 60_000).toUTCString()
    const dated = await answerTo((response) => response.writeHead(503, { 'retry-after': date }).end())
    assert.ok(dated.kind === 'retry' && dated.delayMs !== undefined && dated.delayMs > 30_000)
  })

  it('stops reading an answer that is too large', async () => {
    const answer = await answerTo((response) =>
      response.writeHead(200, protobuf).end(Buffer.alloc(answerBytesMax + 1)),
    )
    assert.equal(answer.kind === 'refused' && answer.reason, 'answer_too_large')
  })
})

describe('HTTP transport: no answer is a retry', () => {
  it('nobody listens', async () => {
    const port = await unusedPort()
    const transport = transportWith({ url: `http://127.0.0.1:${port}/` })
    assert.equal(causeOf(await transport.send(request)), `connect ECONNREFUSED 127.0.0.1:${port}`)
  })

  it('no such host', async () => {
    const transport = transportWith({ url: 'http://collector.invalid:4318/' })
    assert.match(causeOf(await transport.send(request)), /ENOTFOUND|EAI_AGAIN/)
  })

  it('the collector hangs', async () => {
    const answer = await answerTo(() => {}, { timeoutMs: 50 })
    assert.equal(causeOf(answer), 'no complete answer within 50 ms')
  })

  it('the collector hangs in the middle of its answer', async () => {
    const answer = await answerTo((response) => response.writeHead(200, { 'content-length': 5 }).write('a'), {
      timeoutMs: 50,
    })
    assert.equal(causeOf(answer), 'no complete answer within 50 ms')
  })

  it('the connection is reset', async () => {
    assert.match(causeOf(await answerFromSocket((socket) => socket.resetAndDestroy())), /ECONNRESET/)
  })

  it('the connection ends in the middle of the answer', async () => {
    const answer = await answerFromSocket((socket) =>
      socket.end('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc'),
    )
    assert.match(causeOf(answer), /aborted|closed within the answer/)
  })

  it('the peer does not speak HTTP', async () => {
    const answer = await answerFromSocket((socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n'))
    assert.match(causeOf(answer), /Parse Error.*does this port speak OTLP\/HTTP\?/)
  })
})

function causeOf(answer: Answer): string {
  return answer.kind === 'retry' ? answer.cause : answer.kind
}
