import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import { trace } from '@opentelemetry/api'
import { getLogger } from '@throughline/logs'
import { type DecodedLogRecord, decodeLogs } from '@throughline/otlp'
import { type InitTracerOptions, initTracer, type Tracing } from './init-tracer.ts'

/** An OTLP receiver that answers traces with 200 and logs with what is given. */
async function receiver(t: TestContext, logsStatus = 200) {
  const paths: string[] = []
  const records: DecodedLogRecord[] = []
  const server = createServer((request, response) => {
    const isLogs = request.url === '/v1/logs'
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      paths.push(request.url ?? '')
      const resourceLogs = isLogs ? decodeLogs(Buffer.concat(parts)).value?.resourceLogs : []
      for (const { scopeLogs } of resourceLogs ?? [])
        records.push(...scopeLogs.flatMap(({ logRecords }) => logRecords))
      response.writeHead(isLogs ? logsStatus : 200, { 'content-type': 'application/x-protobuf' }).end()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, paths, records }
}

function start(t: TestContext, options: InitTracerOptions): Tracing {
  const tracing = initTracer('greeter', { env: {}, http: false, ...options })
  t.after(() => tracing.shutdown({ timeoutMs: 0 }))
  return tracing
}

// A busy machine may take long; what is awaited ends it.
const patient = { timeoutMs: 60_000 }

describe('log records under initTracer', () => {
  it('reach the collector with the ids of their span', async (t) => {
    const { url, records, paths } = await receiver(t)
    const logger = getLogger('early')
    const tracing = start(t, { otlpEndpoint: url })
    const { traceId, spanId } = trace.getTracer('x').startActiveSpan('a', (span) => {
      logger.emit({ body: 'inside', severityNumber: 9 })
      span.end()
      return span.spanContext()
    })
    await tracing.forceFlush(patient)
    assert.deepEqual(
      records.map((record) => [record.body, record.traceId, record.spanId, record.flags]),
      [['inside', traceId, spanId, 3]],
    )
    assert.deepEqual(paths.toSorted(), ['/v1/logs', '/v1/traces'])
    assert.equal(tracing.logLedger()?.delivered, 1)
    logger.emit({ body: 'last' })
    await tracing.shutdown(patient)
    assert.equal(records.at(-1)?.body, 'last')
    assert.equal(logger.enabled(), false, 'the globals are given back')
  })

  it('nothing is registered, and nobody makes records, where logs are not exported', async (t) => {
    const { url } = await receiver(t)
    for (const options of [
      {},
      { otlpEndpoint: url, logsExporter: 'none' as const },
      { enabled: false, otlpEndpoint: url },
    ]) {
      const tracing = start(t, options)
      assert.equal(getLogger('x').enabled(), false)
      assert.equal(tracing.logLedger(), undefined)
      await tracing.shutdown()
    }
  })

  it('what we say of a failing export, through the program`s own logger, is no log record', async (t) => {
    const { url, records } = await receiver(t, 400)
    const logger = getLogger('app')
    const said: string[] = []
    const tracing = start(t, {
      otlpEndpoint: url,
      diagnostics: (message) => {
        said.push(message)
        logger.emit({ body: message })
      },
    })
    logger.emit({ body: 'refused' })
    await tracing.forceFlush(patient)
    assert.deepEqual(said, ['throughline: dropped 1 log record (http_400): HTTP 400'])
    await tracing.forceFlush(patient)
    assert.deepEqual(
      records.map(({ body }) => body),
      ['refused'],
    )
    assert.equal(tracing.logLedger()?.ended, 1)
    assert.deepEqual(tracing.logLedger()?.dropped, { http_400: 1 })
  })
})
