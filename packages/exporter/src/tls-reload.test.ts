import assert from 'node:assert/strict'
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createSecureServer, type ServerHttp2Stream } from 'node:http2'
import { createServer } from 'node:https'
import type { AddressInfo, Server, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import type { TLSSocket } from 'node:tls'
import { createOtlpExporter } from './otlp-exporter.ts'
import { authorityCert, clientCert, clientKey, serverCert, serverKey } from './testing/certificates.ts'
import { testSpan } from './testing/span.ts'

interface Seen {
  /** The common name in the certificate that the client showed. */
  readonly shown: string
  readonly apiKey: unknown
}

/** A receiver that takes everything, and notes who sent it. */
async function startReceiver(
  t: TestContext,
  protocol: 'http/protobuf' | 'grpc',
): Promise<{ endpoint: string; seen: Seen[]; connectionCount: () => number }> {
  const seen: Seen[] = []
  const sockets = new Set<Socket>()
  const tls = { cert: serverCert, key: serverKey, ca: authorityCert, requestCert: true }
  const note = (socket: Socket | undefined, apiKey: unknown): void => {
    // Each connection of these servers is a TLS socket.
    seen.push({ shown: String((socket as TLSSocket).getPeerCertificate().subject.CN), apiKey })
  }
  let server: Server
  if (protocol === 'http/protobuf') {
    server = createServer(tls, (request, response) => {
      note(request.socket, request.headers['x-api-key'])
      request.resume().on('end', () => response.end())
    })
  } else {
    server = createSecureServer(tls).on('stream', (stream: ServerHttp2Stream, headers) => {
      note(stream.session?.socket, headers['x-api-key'])
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
      stream.resume().on('end', () => stream.end(Buffer.alloc(5)))
    })
  }
  server.on('secureConnection', (socket: Socket) => sockets.add(socket))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  const { port } = server.address() as AddressInfo
  return { endpoint: `https://localhost:${port}`, seen, connectionCount: () => sockets.size }
}

for (const protocol of ['http/protobuf', 'grpc'] as const)
  describe(`files that change while we export, ${protocol}`, () => {
    it('the next export shows the new certificate on a new connection, and the new header on the one it has', async (t) => {
      const { endpoint, seen, connectionCount } = await startReceiver(t, protocol)
      const folder = mkdtempSync(join(tmpdir(), 'throughline-reload-'))
      t.after(() => rmSync(folder, { recursive: true }))
      const file = (name: string, text: string): string => {
        // As a careful writer does it: what a reader sees is either the old or the new.
        writeFileSync(join(folder, `${name}.new`), text)
        renameSync(join(folder, `${name}.new`), join(folder, name))
        return join(folder, name)
      }
      const said: string[] = []
      const exporter = createOtlpExporter({
        endpoint,
        protocol,
        tls: { ca: authorityCert, cert: file('cert', clientCert), key: file('key', clientKey) },
        headersFile: file('headers', 'x-api-key: first'),
        resource: {},
        clock: { originUnixNano: 0n },
        diagnostics: (message) => said.push(message),
      })
      t.after(() => exporter.shutdown({ timeoutMs: 0 }))
      const exportOne = async (): Promise<void> => {
        exporter.onEnd(testSpan(seen.length))
        assert.deepEqual(await exporter.forceFlush({ timeoutMs: 60_000 }), { undeliveredItemCount: 0 })
      }

      await exportOne()
      file('headers', 'x-api-key: second')
      await exportOne()
      assert.equal(connectionCount(), 1)
      file('cert', serverCert)
      file('key', serverKey)
      await exportOne()
      await exportOne()
      assert.equal(connectionCount(), 2)
      file('key', 'half of a k')
      await exportOne()
      assert.deepEqual(seen, [
        { shown: 'throughline test client', apiKey: 'first' },
        { shown: 'throughline test client', apiKey: 'second' },
        { shown: 'throughline test server', apiKey: 'second' },
        { shown: 'throughline test server', apiKey: 'second' },
        { shown: 'throughline test server', apiKey: 'second' },
      ])
      assert.equal(connectionCount(), 2)
      assert.equal(said.length, 1, said.join('\n'))
      assert.match(
        said[0] ?? '',
        /^throughline: cannot use .*key: key is no PEM text; what was read before stays in use$/,
      )
    })
  })

describe('a file that is not there at the start', () => {
  it('is waited for: nothing is lost', async (t) => {
    const { endpoint, seen } = await startReceiver(t, 'http/protobuf')
    const folder = mkdtempSync(join(tmpdir(), 'throughline-reload-'))
    t.after(() => rmSync(folder, { recursive: true }))
    const headersFile = join(folder, 'headers')
    const said: string[] = []
    const exporter = createOtlpExporter({
      endpoint,
      protocol: 'http/protobuf',
      tls: { ca: authorityCert, cert: clientCert, key: clientKey },
      headersFile,
      resource: {},
      clock: { originUnixNano: 0n },
      retry: { initialDelayMs: 5, delayMsMax: 10 },
      diagnostics: (message) => said.push(message),
    })
    t.after(() => exporter.shutdown({ timeoutMs: 0 }))
    exporter.onEnd(testSpan(0))
    await exporter.forceFlush({ retry: false, timeoutMs: 60_000 })
    assert.match(said[0] ?? '', /cannot export to .*: cannot use .*headers: ENOENT.*; 1 span waits/)
    assert.equal(seen.length, 0, 'nothing was sent without its key')
    writeFileSync(headersFile, 'x-api-key: there')
    assert.deepEqual(await exporter.forceFlush({ timeoutMs: 60_000 }), { undeliveredItemCount: 0 })
    assert.deepEqual(seen, [{ shown: 'throughline test client', apiKey: 'there' }])
  })
})
