import assert from 'node:assert/strict'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { decodeLogs } from '@throughline/otlp'
import { authorityCert, clientCert, clientKey, serverCert, serverKey } from './testing/certificates.ts'
import {
  type AnsweringServer,
  createWorkspace,
  runOsapi,
  startAnswering,
  type Workspace,
} from './testing/run-osapi.ts'

interface Seen {
  readonly path: string
  readonly apiKey: unknown
  readonly body: Buffer
}

describe('secure export', () => {
  let workspace: Workspace
  let api: AnsweringServer
  let env: Record<string, string>
  const seen: Seen[] = []
  // Asks for a client certificate and takes nothing without one.
  const collector = createServer(
    { cert: serverCert, key: serverKey, ca: authorityCert, requestCert: true, rejectUnauthorized: true },
    (request, response) => {
      const parts: Buffer[] = []
      request.on('data', (part: Buffer) => parts.push(part))
      request.on('end', () => {
        seen.push({
          path: request.url ?? '',
          apiKey: request.headers['x-api-key'],
          body: Buffer.concat(parts),
        })
        response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end()
      })
    },
  )

  before(async () => {
    workspace = createWorkspace()
    api = await startAnswering({
      'GET /api/node/web-01/hostname': { body: { results: [{ hostname: 'web-01', status: 'ok' }] } },
    })
    await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve))
    env = {
      OSAPI_TELEMETRY_TRACING_ENABLED: 'true',
      OSAPI_TELEMETRY_TRACING_EXPORTER: 'otlp',
      OSAPI_TELEMETRY_TRACING_OTLP_PROTOCOL: 'http/protobuf',
      OSAPI_TELEMETRY_TRACING_OTLP_ENDPOINT: `localhost:${(collector.address() as AddressInfo).port}`,
      OSAPI_TELEMETRY_TRACING_OTLP_HEADERS_FILE: workspace.file('headers', 'x-api-key: from-file\n'),
      OSAPI_TELEMETRY_TRACING_OTLP_CERTIFICATE: workspace.file('ca.pem', authorityCert),
      OSAPI_TELEMETRY_TRACING_OTLP_CLIENT_CERTIFICATE: workspace.file('client.pem', clientCert),
      OSAPI_TELEMETRY_TRACING_OTLP_CLIENT_KEY: workspace.file('client.key', clientKey),
    }
  })

  after(async () => {
    workspace.remove()
    await api.close()
    collector.close()
    collector.closeAllConnections()
  })

  const run = (more: Record<string, string>, flags: readonly string[] = []) => {
    const config = workspace.file(
      'osapi.yaml',
      `controller: { client: { url: "${api.url}", security: { bearer_token: t } }, api: { security: { signing_key: ${'k'.repeat(32)} } } }`,
    )
    return runOsapi(['-f', config, ...flags, 'client', 'node', 'hostname', '-T', 'web-01'], {
      ...env,
      ...more,
    })
  }

  it('goes over mutual TLS with the headers of a file; log lines only where they are asked for', async () => {
    const spansOnly = await run({ OSAPI_TELEMETRY_TRACING_OTLP_INSECURE: 'false' }, ['--debug'])
    assert.equal(spansOnly.code, 0, spansOnly.stderr)
    assert.deepEqual(
      seen.map(({ path, apiKey }) => [path, apiKey]),
      [['/v1/traces', 'from-file']],
    )
    seen.length = 0
    const both = await run(
      { OSAPI_TELEMETRY_TRACING_OTLP_INSECURE: 'false', OSAPI_TELEMETRY_TRACING_OTLP_LOGS: 'true' },
      ['--debug'],
    )
    assert.deepEqual(seen.map(({ path }) => path).toSorted(), ['/v1/logs', '/v1/traces'], both.stderr)
    const logs = decodeLogs(seen.find(({ path }) => path === '/v1/logs')?.body ?? Buffer.alloc(0)).value
    const records = logs?.resourceLogs.flatMap(({ scopeLogs }) =>
      scopeLogs.flatMap(({ logRecords }) => logRecords),
    )
    assert.ok(records?.some(({ traceId, severityText }) => traceId !== '' && severityText === 'debug'))
  })

  it('does not start with certificates for a plaintext connection', async () => {
    const { code, stderr } = await run({ OSAPI_TELEMETRY_TRACING_OTLP_INSECURE: 'true' })
    assert.equal(code, 1)
    assert.match(
      stderr,
      /telemetry\.tracing\.otlp_certificate: .*ca\.pem\\?" needs TLS: set telemetry\.tracing\.otlp_insecure to false/,
    )
  })

  it('does not start with a certificate without its key', async () => {
    const { code, stderr } = await run({
      OSAPI_TELEMETRY_TRACING_OTLP_INSECURE: 'false',
      OSAPI_TELEMETRY_TRACING_OTLP_CLIENT_KEY: '',
    })
    assert.equal(code, 1)
    assert.match(stderr, /telemetry\.tracing\.otlp_client_key: .* belong together: set both, or neither/)
  })
})
