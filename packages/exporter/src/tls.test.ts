import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { ServerCredentials } from '@grpc/grpc-js'
import { type OtlpExporterOptions } from './options.ts'
import { createOtlpExporter } from './otlp-exporter.ts'
import { authorityCert, clientCert, clientKey, serverCert, serverKey } from './testing/certificates.ts'
import { startGrpcPeer } from './testing/grpc-peer.ts'
import { accept, startHttpPeer } from './testing/http-peer.ts'
import { testSpan } from './testing/span.ts'

type Protocol = OtlpExporterOptions['protocol']

/** A receiver with TLS that asks for a client's certificate when `mutual`. */
async function startTlsPeer(
  t: TestContext,
  protocol: Protocol,
  { mutual }: { mutual: boolean },
): Promise<string> {
  if (protocol === 'http/protobuf') {
    const tls = {
      cert: serverCert,
      key: serverKey,
      ca: authorityCert,
      requestCert: mutual,
      rejectUnauthorized: mutual,
    }
    const peer = await startHttpPeer(accept, { tls })
    t.after(peer.stop)
    return `https://localhost:${peer.port}`
  }
  const pair = { cert_chain: Buffer.from(serverCert), private_key: Buffer.from(serverKey) }
  const credentials = ServerCredentials.createSsl(Buffer.from(authorityCert), [pair], mutual)
  const peer = await startGrpcPeer(() => Buffer.alloc(0), { credentials })
  t.after(peer.stop)
  return `https://localhost:${peer.port}`
}

async function exportOne(
  endpoint: string,
  protocol: Protocol,
  tls: OtlpExporterOptions['tls'] = {},
): Promise<{ delivered: number; said: string }> {
  const said: string[] = []
  const exporter = createOtlpExporter({
    endpoint,
    protocol,
    tls,
    resource: {},
    clock: { originUnixNano: 0n },
    diagnostics: (message) => said.push(message),
  })
  exporter.onEnd(testSpan(1))
  // The time is for a busy machine: without a retry the first failure ends it.
  await exporter.shutdown({ retry: false, timeoutMs: 60_000 })
  return { delivered: exporter.ledger().delivered, said: said.join('\n') }
}

for (const protocol of ['http/protobuf', 'grpc'] as const)
  describe(`TLS with ${protocol}`, () => {
    it('delivers to a receiver whose authority is trusted', async (t) => {
      const endpoint = await startTlsPeer(t, protocol, { mutual: false })
      assert.deepEqual(await exportOne(endpoint, protocol, { ca: authorityCert }), { delivered: 1, said: '' })
    })

    it('delivers nothing to a receiver whose authority is not trusted, and says why', async (t) => {
      const { delivered, said } = await exportOne(
        await startTlsPeer(t, protocol, { mutual: false }),
        protocol,
      )
      assert.equal(delivered, 0)
      assert.match(said, /self-signed certificate|unable to verify/)
    })

    it('shows its own certificate', async (t) => {
      const endpoint = await startTlsPeer(t, protocol, { mutual: true })
      const tls = { ca: authorityCert, cert: clientCert, key: clientKey }
      assert.deepEqual(await exportOne(endpoint, protocol, tls), { delivered: 1, said: '' })
      assert.equal((await exportOne(endpoint, protocol, { ca: authorityCert })).delivered, 0)
    })
  })
