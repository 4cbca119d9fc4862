import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { Client, credentials, type ServiceError, status } from '@grpc/grpc-js'
import { decodeExportTraceResponse } from '@throughline/otlp'
import type { Lens } from '../lens.ts'
import { limits } from '../limits.ts'
import { startTestLens } from '../testing/start.ts'

const traceService = '/opentelemetry.proto.collector.trace.v1.TraceService/Export'
const metricsService = '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export'
const logsService = '/opentelemetry.proto.collector.logs.v1.LogsService/Export'

const identity = (buffer: Buffer): Buffer => buffer

const refusedWith = (code: status, details: RegExp) => (error: ServiceError) => {
  assert.equal(error.code, code)
  assert.match(error.details, details)
  return true
}

describe('the OTLP/gRPC receiver', () => {
  let lens: Lens
  let client: Client
  before(async () => {
    lens = await startTestLens()
    client = new Client(`127.0.0.1:${lens.grpcPort}`, credentials.createInsecure())
  })
  after(async () => {
    client.close()
    await lens.stop()
  })

  const call = (bytes: Uint8Array, path = traceService): Promise<Buffer> =>
    new Promise((resolve, reject) => {
      client.makeUnaryRequest(path, identity, identity, Buffer.from(bytes), (error, response) => {
        if (error === null && response !== undefined) resolve(response)
        else reject(error ?? new Error('neither an error nor a response'))
      })
    })

  it('answers traces and logs', async () => {
    assert.equal((await call(new Uint8Array(0))).length, 0)
    assert.equal((await call(new Uint8Array(0), logsService)).length, 0)
  })

  it('says how many spans it refused', async () => {
    // resource_spans { scope_spans { spans {} } }: a span with nothing in it.
    const response = decodeExportTraceResponse(await call(Uint8Array.of(0x0a, 4, 0x12, 2, 0x12, 0)))
    assert.deepEqual(response.value?.partialSuccess, {
      rejectedSpans: 1,
      errorMessage: '1 spans with an invalid trace id',
    })
  })

  it('refuses what is not OTLP with INVALID_ARGUMENT, which is not retried', async () => {
    await assert.rejects(call(Buffer.from('garbage')), refusedWith(status.INVALID_ARGUMENT, /not OTLP/))
  })

  it('refuses a message over the limit with RESOURCE_EXHAUSTED', async () => {
    const large = new Uint8Array(limits.inflatedBytesMax + 1)
    await assert.rejects(call(large), refusedWith(status.RESOURCE_EXHAUSTED, /larger than/i))
  })

  it('takes metrics, and says that it keeps none', async () => {
    // resource_metrics { scope_metrics { metrics { gauge { data_points {} } } } }
    const one = Uint8Array.of(0x0a, 8, 0x12, 6, 0x12, 4, 0x2a, 2, 0x0a, 0)
    const response = decodeExportTraceResponse(await call(one, metricsService))
    assert.deepEqual(response.value?.partialSuccess, {
      rejectedSpans: 1,
      errorMessage: 'Lens keeps traces and logs only; 1 metric data points were not kept',
    })
    assert.equal((await call(new Uint8Array(0), metricsService)).length, 0)
  })
})
