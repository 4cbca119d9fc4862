import assert from 'node:assert/strict'
import { createServer as createHttpServer } from 'node:http'
import { createSecureServer } from 'node:http2'
import { createServer as createHttpsServer } from 'node:https'
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import type { TlsOptions } from './messages.ts'
import type { OtlpExporterOptions } from './options.ts'
import { createOtlpExporter } from './otlp-exporter.ts'
import {
  authorityCert,
  clientCert,
  clientKey,
  expiredCert,
  expiredKey,
  serverCert,
  serverKey,
  strangerCert,
  strangerKey,
} from './testing/certificates.ts'
import { testSpan } from './testing/span.ts'

const protocols = ['http/protobuf', 'grpc'] as const
type Protocol = (typeof protocols)[number]

/** Listens until the test is over; the connections end with it. */
async function listen(t: TestContext, server: Server): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => sockets.add(socket))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return (server.address() as AddressInfo).port // A TCP server's address is never a string.
}

/** What nobody ever gets to: each of these connections fails before. */
const answer = (_request: unknown, response: { end(): unknown }): void => void response.end()

function tlsServer(protocol: Protocol, options: object): Server {
  return protocol === 'grpc' ? createSecureServer(options, answer) : createHttpsServer(options, answer)
}

/** The one line about the failed attempt. */
async function failure(
  endpoint: string,
  protocol: OtlpExporterOptions['protocol'],
  tls: TlsOptions = {},
): Promise<string> {
  const said: string[] = []
  const exporter = createOtlpExporter({
    endpoint,
    protocol,
    tls,
    resource: {},
    clock: { originUnixNano: 0n },
    timeoutMs: 60_000,
    diagnostics: (message) => said.push(message),
  })
  exporter.onEnd(testSpan(1))
  await exporter.forceFlush({ retry: false, timeoutMs: 120_000 })
  await exporter.shutdown({ retry: false, timeoutMs: 0 })
  const line = said[0] ?? ''
  assert.match(line, /^throughline: cannot export to https?:\/\/localhost:\d+\/.*; 1 span waits/)
  assert.doesNotMatch(line, /\n|openssl|rec_layer/, 'one line, nothing of the library')
  return line
}

const own = { cert: serverCert, key: serverKey }
const mutual = { ...own, ca: authorityCert, requestCert: true, rejectUnauthorized: true }
const trusting = { ca: authorityCert }

for (const protocol of protocols)
  describe(`a connection that TLS does not let be, ${protocol}`, () => {
    const cases: [string, object, TlsOptions, RegExp][] = [
      ['an authority that is not trusted', own, {}, /no authority we trust has signed/],
      ['another authority', own, { ca: strangerCert }, /no authority we trust has signed/],
      [
        'a certificate that has expired',
        { cert: expiredCert, key: expiredKey },
        { ca: expiredCert },
        /certificate has expired \(the certificate that the collector shows\)/,
      ],
      [
        'the certificate of another host',
        { cert: strangerCert, key: strangerKey },
        { ca: strangerCert },
        /stranger\.example.*the certificate of another host/,
      ],
      ['no client certificate where one is asked for', mutual, trusting, /client certificate/],
      [
        'a client certificate that is not accepted',
        mutual,
        { ...trusting, cert: strangerCert, key: strangerKey },
        /client certificate/,
      ],
      [
        'no client certificate, before TLS 1.3',
        { ...mutual, maxVersion: 'TLSv1.2' },
        trusting,
        /client certificate/,
      ],
    ]
    for (const [what, server, tls, expected] of cases)
      it(what, async (t) => {
        const port = await listen(t, tlsServer(protocol, server))
        assert.match(await failure(`https://localhost:${port}`, protocol, tls), expected)
      })

    it('TLS to a port without', async (t) => {
      const port = await listen(t, createHttpServer(answer))
      assert.match(
        await failure(`https://localhost:${port}`, protocol, trusting),
        /speaks no TLS: the endpoint begins with http:\/\//,
      )
    })

    it('plain text to a port with TLS, from a server that hangs up and from one that sends an alert', async (t) => {
      const port = await listen(t, tlsServer(protocol, own))
      assert.match(await failure(`http://localhost:${port}`, protocol), /does this port want TLS\?/)
      const alerting = createTcpServer((socket) => {
        socket.on('error', () => {})
        socket.once('data', () => socket.end(Buffer.from([21, 3, 1, 0, 2, 2, 70])))
      })
      const alertPort = await listen(t, alerting)
      assert.match(
        await failure(`http://localhost:${alertPort}`, protocol),
        /does this port (want TLS|speak gRPC)\?/,
      )
    })
  })

describe('a port that speaks the other protocol', () => {
  it('gRPC to HTTP/1 over TLS', async (t) => {
    const port = await listen(t, createHttpsServer(own, answer))
    assert.match(await failure(`https://localhost:${port}`, 'grpc', trusting), /does this port speak gRPC\?/)
  })

  it('HTTP/1 to HTTP/2 alone over TLS', async (t) => {
    const port = await listen(t, createSecureServer(own, answer))
    assert.match(
      await failure(`https://localhost:${port}`, 'http/protobuf', trusting),
      /does this port speak OTLP\/HTTP\?/,
    )
  })
})

describe('client certificates', () => {
  it('are accepted by the server that the failures above come from', async (t) => {
    const port = await listen(t, createHttpsServer(mutual, answer))
    const exporter = createOtlpExporter({
      endpoint: `https://localhost:${port}`,
      protocol: 'http/json',
      compression: 'gzip',
      tls: { ...trusting, cert: clientCert, key: clientKey },
      resource: {},
      clock: { originUnixNano: 0n },
    })
    exporter.onEnd(testSpan(1))
    assert.deepEqual(await exporter.shutdown({ timeoutMs: 60_000 }), { undeliveredItemCount: 0 })
  })
})
