import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { decodeLogs, type LogRecord } from '@throughline/otlp'
import type { OtlpExporterOptions } from './options.ts'
import { createOtlpLogExporter, type OtlpLogExporter } from './otlp-exporter.ts'
import { startGrpcPeer } from './testing/grpc-peer.ts'
import { accept, startHttpPeer, unusedPort } from './testing/http-peer.ts'

const scope = { name: 'app', version: '', schemaUrl: '', flatAttributes: [] }

function logRecord(index: number, changes: Partial<LogRecord> = {}): LogRecord {
  return {
    timeMs: 1.5,
    observedTimeMs: 1.5,
    severityNumber: 9,
    severityText: 'info',
    body: `line ${index}`,
    flatAttributes: ['index', index],
    droppedAttributesCount: 0,
    traceId: '',
    spanId: '',
    traceFlags: 0,
    eventName: '',
    scope,
    ...changes,
  }
}

function start(
  t: TestContext,
  options: Partial<OtlpExporterOptions> & { endpoint: string },
): { exporter: OtlpLogExporter; said: string[] } {
  const said: string[] = []
  const exporter = createOtlpLogExporter({
    protocol: 'http/protobuf',
    resource: { 'service.name': 'test' },
    clock: { originUnixNano: 1_700_000_000_000_000_000n },
    retry: { initialDelayMs: 5, delayMsMax: 10 },
    diagnostics: (message) => said.push(message),
    ...options,
  })
  t.after(() => exporter.shutdown({ timeoutMs: 0 }))
  return { exporter, said }
}

describe('OTLP exporter for logs', () => {
  it('posts to /v1/logs what an OTLP receiver reads', async (t) => {
    const peer = await startHttpPeer(accept)
    t.after(peer.stop)
    const { exporter } = start(t, { endpoint: peer.url })
    exporter.onEmit(logRecord(0))
    assert.deepEqual(await exporter.forceFlush(), { undeliveredItemCount: 0 })
    assert.deepEqual(exporter.ledger(), { ended: 1, delivered: 1, pending: 0, spooled: 0, dropped: {} })
    assert.equal(peer.requests[0]?.path, '/v1/logs')
    const [resourceLogs] = decodeLogs(peer.requests[0]?.body ?? Buffer.alloc(0)).value?.resourceLogs ?? []
    assert.deepEqual(resourceLogs?.resource.attributes, [{ key: 'service.name', value: 'test' }])
    const [record] = resourceLogs?.scopeLogs[0]?.logRecords ?? []
    assert.deepEqual(
      [record?.body, record?.severityNumber, record?.timeUnixNano],
      ['line 0', 9, 1_700_000_000_001_500_000n],
    )
  })

  it('calls LogsService/Export', async (t) => {
    const peer = await startGrpcPeer(() => Buffer.alloc(0), { service: 'logs.v1.LogsService' })
    t.after(peer.stop)
    const { exporter } = start(t, { endpoint: peer.endpoint, protocol: 'grpc' })
    for (let index = 0; index < 3000; index++) exporter.onEmit(logRecord(index))
    assert.deepEqual(await exporter.forceFlush(), { undeliveredItemCount: 0 })
    const bodies = peer.requests.map(({ body }) => decodeLogs(body).value?.resourceLogs ?? [])
    assert.equal(
      bodies.flat().flatMap(({ scopeLogs }) => scopeLogs.flatMap((one) => one.logRecords)).length,
      3000,
    )
  })

  it('speaks of log records', async (t) => {
    const peer = await startHttpPeer((response) => response.writeHead(400).end('because'))
    t.after(peer.stop)
    const refused = start(t, { endpoint: peer.url })
    refused.exporter.onEmit(logRecord(0, { body: 'x'.repeat(5_000_000) }))
    refused.exporter.onEmit(logRecord(1))
    await refused.exporter.forceFlush()
    assert.deepEqual(refused.exporter.ledger().dropped, { log_record_too_large: 1, http_400: 1 })
    assert.deepEqual(refused.said, [
      'throughline: dropped 1 log record (log_record_too_large): a record of "app" does not fit into any chunk',
      'throughline: dropped 1 log record (http_400): HTTP 400: because',
    ])
    const absent = start(t, { endpoint: `http://127.0.0.1:${await unusedPort()}` })
    absent.exporter.onEmit(logRecord(1))
    absent.exporter.onEmit(logRecord(2))
    await absent.exporter.forceFlush({ retry: false })
    assert.match(
      absent.said[0] ?? '',
      /^throughline: cannot export to .*\/v1\/logs: connect ECONNREFUSED .*; 2 log records wait/,
    )
  })
})
