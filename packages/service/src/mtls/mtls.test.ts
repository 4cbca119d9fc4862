import assert from 'node:assert/strict'
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo, Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it, type TestContext } from 'node:test'
import type { PeerCertificate, TLSSocket } from 'node:tls'
import { SpanKind } from '@opentelemetry/api'
import type { HttpHandler } from '@throughline/http'
import { createTestAuthority, type TestAuthority } from '../testing/authority.ts'
import { collectSpans, type TestSpans } from '../testing/spans.ts'
import { createMtlsClient, type MtlsClient } from './mtls-client.ts'
import { createMtlsServer, type MtlsServer, requireClientCertificate } from './mtls-server.ts'
import type { TlsFiles } from './tls-material.ts'

let authority: TestAuthority
let spans: TestSpans
let dir: string
before(async () => {
  spans = collectSpans()
  authority = await createTestAuthority()
  dir = await mkdtemp(join(tmpdir(), 'mtls-'))
  await writeFile(join(dir, 'ca.pem'), authority.ca)
})
after(async () => {
  spans.unregister()
  await rm(dir, { recursive: true })
})

interface AllFiles extends TlsFiles {
  readonly ca: string
  readonly cert: string
  readonly key: string
}

/** Writes a certificate and its key as `<name>.pem` and `<name>.key`, as a whole each. */
async function issue(name: string, commonName: string): Promise<AllFiles> {
  const { cert, key } = await authority.issue(commonName, [
    { type: 'dns', value: `${commonName}.internal` },
    { type: 'url', value: `spiffe://mesh/${commonName}` },
    { type: 'email', value: `${commonName}@mesh.internal` },
  ])
  const files = { ca: join(dir, 'ca.pem'), cert: join(dir, `${name}.pem`), key: join(dir, `${name}.key`) }
  await writeFile(`${files.cert}.new`, cert)
  await writeFile(`${files.key}.new`, key)
  await rename(`${files.cert}.new`, files.cert)
  await rename(`${files.key}.new`, files.key)
  return files
}

async function urlOf(t: TestContext, server: Server, scheme: string): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  const { port } = server.address() as AddressInfo // A server that listens on TCP has an address of this shape.
  return `${scheme}://127.0.0.1:${port}`
}

const whoAreYou: HttpHandler = (request, response) => {
  response.end((request.socket as TLSSocket).getPeerCertificate().subject?.CN ?? 'nobody')
}

interface Scene {
  readonly url: string
  readonly server: MtlsServer
}

async function serve(t: TestContext, files: TlsFiles, handler: HttpHandler): Promise<Scene> {
  const server = createMtlsServer(files, handler, { reloadIntervalMs: 0 })
  return { server, url: await urlOf(t, server.server, 'https') }
}

function clientOf(t: TestContext, files: TlsFiles, logger?: TestLogger): MtlsClient {
  const client = createMtlsClient(files, { reloadIntervalMs: 0, logger })
  t.after(() => client.close())
  return client
}

class TestLogger {
  readonly messages: string[] = []
  readonly info = (_fields: object, message: string): void => void this.messages.push(message)
  readonly warn = this.info
  readonly error = this.info
}

async function textOf(client: MtlsClient, url: string): Promise<string> {
  return (await client.fetch(url)).text()
}

describe('mTLS', () => {
  it('both sides show their certificate, by TLS 1.3, in a client span', async (t) => {
    const { url } = await serve(t, await issue('server', 'prompts'), (request, response) => {
      response.end(`${(request.socket as TLSSocket).getProtocol()} ${String(request.headers['traceparent'])}`)
    })
    const client = clientOf(t, await issue('client', 'gateway'))
    const text = await textOf(client, url)
    const span = spans.ended.findLast(({ kind }) => kind === SpanKind.CLIENT)
    assert.match(text, new RegExp(`^TLSv1.3 00-${span?.spanContext().traceId}-`))
  })

  it('who shows none, or none of the authority, is refused by the guard alone', async (t) => {
    const files = await issue('server', 'prompts')
    const open = await serve(t, files, whoAreYou)
    const guarded = await serve(t, files, requireClientCertificate(whoAreYou))
    const stranger = await createTestAuthority()
    const { cert, key } = await stranger.issue('gateway')
    await writeFile(join(dir, 'stranger.pem'), cert)
    await writeFile(join(dir, 'stranger.key'), key)
    const nobody = clientOf(t, { ca: files.ca })
    const unknown = clientOf(t, {
      ca: files.ca,
      cert: join(dir, 'stranger.pem'),
      key: join(dir, 'stranger.key'),
    })
    assert.equal(await textOf(nobody, open.url), 'nobody')
    for (const client of [nobody, unknown]) {
      const answer = await client.fetch(guarded.url)
      assert.equal(answer.status, 401)
      assert.deepEqual(await answer.json(), { error: 'client_certificate_required' })
    }
  })

  it('an identity is the common name, or a DNS, URI or e-mail name', async (t) => {
    const files = await issue('server', 'prompts')
    const client = clientOf(t, await issue('client', 'gateway'))
    for (const [allowed, status] of [
      [[], 200],
      [['gateway'], 200],
      [['other', 'gateway.internal'], 200],
      [['spiffe://mesh/gateway'], 200],
      [['gateway@mesh.internal'], 200],
      [['gate'], 401],
      [['127.0.0.1'], 401],
    ] as const) {
      const { url } = await serve(t, files, requireClientCertificate(whoAreYou, { allowed }))
      const answer = await client.fetch(url)
      assert.equal(answer.status, status, allowed.join())
      if (status === 401)
        assert.deepEqual(await answer.json(), { error: 'client_certificate_identity_not_allowed' })
      else await answer.text()
    }
  })

  it('the guard refuses everybody on a plain connection', async (t) => {
    const guarded = requireClientCertificate(whoAreYou)
    const url = await urlOf(
      t,
      createServer((request, response) => void guarded(request, response)),
      'http',
    )
    assert.equal((await fetch(url)).status, 401)
  })

  it('a server that the authority does not know is not spoken to', async (t) => {
    const files = await issue('server', 'prompts')
    const { url } = await serve(t, files, whoAreYou)
    const other = await createTestAuthority()
    await writeFile(join(dir, 'other-ca.pem'), other.ca)
    await assert.rejects(clientOf(t, { ca: join(dir, 'other-ca.pem') }).fetch(url))
  })

  it('no files: the plain traced fetch', async (t) => {
    const url = await urlOf(
      t,
      createServer((_request, response) => void response.end('plain')),
      'http',
    )
    const client = clientOf(t, {})
    assert.equal(await textOf(client, url), 'plain')
    assert.equal(await client.reload(), false)
  })
})

describe('files that change', () => {
  it('are shown on new connections by client and server', async (t) => {
    const serverFiles = await issue('server', 'prompts-1')
    const clientFiles = await issue('client', 'gateway-1')
    const { url, server } = await serve(t, serverFiles, whoAreYou)
    const client = clientOf(t, clientFiles)
    assert.equal(await textOf(client, url), 'gateway-1')
    assert.equal(await client.reload(), false)
    await issue('client', 'gateway-2')
    assert.equal(await client.reload(), true)
    assert.equal(await textOf(client, url), 'gateway-2')

    await issue('server', 'prompts-2')
    assert.equal(await server.reload(), true)
    const names: string[] = []
    const probe = clientOf(t, { ca: serverFiles.ca })
    server.server.on('secureConnection', (socket) => {
      const { subject } = socket.getCertificate() as PeerCertificate // The server's own, which is there.
      names.push(String(subject.CN))
    })
    await textOf(probe, url)
    assert.deepEqual(names, ['prompts-2'])
  })

  it('and cannot be used leave the old ones in place, and are told once', async (t) => {
    const { url } = await serve(t, await issue('server', 'prompts'), whoAreYou)
    const files = await issue('client', 'gateway')
    const logger = new TestLogger()
    const client = clientOf(t, files, logger)
    await writeFile(files.cert, '-----BEGIN CERTIFICATE-----\nhalf')
    assert.equal(await client.reload(), false)
    assert.equal(await client.reload(), false)
    await rm(files.key)
    assert.equal(await client.reload(), false)
    assert.equal(await textOf(client, url), 'gateway')
    assert.deepEqual(logger.messages, Array(2).fill('certificates not reloaded, the old ones stay'))
    await issue('client', 'gateway-2')
    assert.equal(await client.reload(), true)
    assert.equal(await textOf(client, url), 'gateway-2')
  })
})

describe('options', () => {
  it('that cannot be used are named', async () => {
    const files = await issue('server', 'prompts')
    const missing = join(dir, 'missing.pem')
    assert.throws(() => createMtlsClient({ cert: files.cert }), { code: 'invalid_option' })
    assert.throws(() => createMtlsClient({ key: files.key }), { code: 'invalid_option' })
    assert.throws(() => createMtlsServer({ ca: files.ca }, () => {}), { code: 'invalid_option' })
    assert.throws(() => createMtlsClient(files, { reloadIntervalMs: -1 }), { code: 'invalid_option' })
    assert.throws(
      () => createMtlsClient({ ca: missing }),
      (error: Error & { code?: string }) => {
        assert.equal(error.code, 'unreadable_file')
        assert.match(error.message, /^ca ".*missing\.pem" cannot be read/)
        return true
      },
    )
    const mixed = { cert: files.cert, key: (await issue('client', 'gateway')).key }
    assert.throws(() => createMtlsClient(mixed), { code: 'unusable_certificate' })
  })
})
