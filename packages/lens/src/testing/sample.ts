import type { Attributes, LogRecord, Source, Span } from '../model.ts'

/** A moment in 2026 with nanoseconds that no double can hold. */
export const sampleOriginNano = 1_790_000_000_123_456_789n

export const source = (service: string, scopeName = '@throughline/sample'): Source => ({
  service,
  resource: { 'service.name': service, 'host.name': 'web-01', 'process.pid': 4711 },
  scopeName,
  scopeVersion: '0.1.0',
  scopeAttributes: {},
})

const defaultSource = source('sample')

/** A span with everything unremarkable except what is given. */
export const sampleSpan = (given: Partial<Span> = {}): Span => ({
  traceId: '0af7651916cd43dd8448eb211c80319c',
  spanId: 'b7ad6b7169203331',
  parentSpanId: '',
  traceState: '',
  name: 'sample',
  kind: 1,
  startTimeUnixNano: sampleOriginNano,
  endTimeUnixNano: sampleOriginNano + 1_000_001n,
  statusCode: 0,
  statusMessage: '',
  attributes: {},
  events: [],
  links: [],
  droppedCount: 0,
  source: defaultSource,
  ...given,
})

export const sampleLog = (given: Partial<LogRecord> = {}): LogRecord => ({
  traceId: '0af7651916cd43dd8448eb211c80319c',
  spanId: 'b7ad6b7169203331',
  timeUnixNano: sampleOriginNano + 500n,
  severityNumber: 9,
  severityText: 'INFO',
  body: 'sample',
  attributes: {},
  source: defaultSource,
  ...given,
})

interface Step {
  readonly id: number
  readonly parent: number
  readonly name: string
  readonly kind: Span['kind']
  readonly service: Source
  /** Relative to the trace's start. */
  readonly startMs: number
  readonly endMs: number
  readonly more?: Partial<Span>
}

const cli = source('osapi-cli')
const api = source('osapi-api', '@throughline/http')
const apiNats = source('osapi-api', '@throughline/nats')
const worker = source('osapi-worker', '@throughline/nats')

const kv = (key: string): Attributes => ({
  'messaging.system': 'nats',
  'db.namespace': 'job-queue',
  'nats.kv.key': key,
})

/** What one `osapi client node hostname` leaves behind: command, HTTP, queue, worker, with the queue time between them. */
export function jobTrace(traceId: string, originNano: bigint = sampleOriginNano): readonly Span[] {
  const job = '5b0f8a52-6d5e-4d5b-9b1e-7c1f3f0a9a11'
  const steps: readonly Step[] = [
    { id: 1, parent: 0, name: 'osapi client node hostname', kind: 1, service: cli, startMs: 0, endMs: 48.2 },
    {
      id: 2,
      parent: 1,
      name: 'GET',
      kind: 3,
      service: cli,
      startMs: 6.1,
      endMs: 46.9,
      more: {
        attributes: {
          'http.request.method': 'GET',
          'url.full': 'http://127.0.0.1:8080/api/node/_any/hostname',
        },
      },
    },
    {
      id: 3,
      parent: 2,
      name: 'GET /api/node/:target/hostname',
      kind: 2,
      service: api,
      startMs: 8.4,
      endMs: 45.8,
      more: {
        attributes: {
          'http.request.method': 'GET',
          'http.route': '/api/node/:target/hostname',
          'http.response.status_code': 200,
        },
      },
    },
    {
      id: 4,
      parent: 3,
      name: 'put job-queue',
      kind: 3,
      service: apiNats,
      startMs: 9.9,
      endMs: 12.3,
      more: { attributes: kv(`jobs.${job}`) },
    },
    {
      id: 5,
      parent: 3,
      name: 'publish jobs.query._any',
      kind: 4,
      service: apiNats,
      startMs: 12.6,
      endMs: 15.1,
      more: {
        attributes: { 'messaging.system': 'nats', 'messaging.destination.name': 'jobs.query._any' },
        events: [
          {
            name: 'acknowledged',
            timeUnixNano: at(originNano, 15),
            attributes: { 'nats.stream.sequence': 17 },
          },
        ],
      },
    },
    {
      id: 6,
      parent: 5,
      name: 'job.process',
      kind: 5,
      service: worker,
      startMs: 24.7,
      endMs: 41.2,
      more: {
        attributes: {
          'job.id': job,
          'job.operation': 'node.hostname.get',
          'job.target': '_any',
          'job.status': 'completed',
        },
        links: [{ traceId, spanId: spanId(5), attributes: {} }],
      },
    },
    {
      id: 7,
      parent: 6,
      name: 'get job-queue',
      kind: 3,
      service: worker,
      startMs: 25.4,
      endMs: 27.8,
      more: { attributes: kv(`jobs.${job}`) },
    },
    {
      id: 8,
      parent: 6,
      name: 'provider.execute',
      kind: 1,
      service: worker,
      startMs: 28.2,
      endMs: 34.9,
      more: { attributes: { 'provider.name': 'hostname', 'job.type': 'query' } },
    },
    { id: 9, parent: 6, name: 'job.result.write', kind: 1, service: worker, startMs: 35.3, endMs: 40.8 },
    {
      id: 10,
      parent: 9,
      name: 'put job-responses',
      kind: 3,
      service: worker,
      startMs: 35.6,
      endMs: 40.5,
      more: { attributes: kv(`${job}.web-01`) },
    },
    {
      id: 11,
      parent: 3,
      name: 'get job-responses',
      kind: 3,
      service: apiNats,
      startMs: 42.1,
      endMs: 44.6,
      more: { attributes: kv(`${job}.web-01`) },
    },
  ]
  return steps.map((step) => toSpan(traceId, originNano, step))
}

const spanId = (id: number): string => (id === 0 ? '' : id.toString(16).padStart(16, '0'))
const at = (originNano: bigint, ms: number): bigint => originNano + BigInt(Math.round(ms * 1e6))

const toSpan = (traceId: string, originNano: bigint, step: Step): Span =>
  sampleSpan({
    traceId,
    spanId: spanId(step.id),
    parentSpanId: spanId(step.parent),
    name: step.name,
    kind: step.kind,
    source: step.service,
    startTimeUnixNano: at(originNano, step.startMs),
    endTimeUnixNano: at(originNano, step.endMs),
    ...step.more,
  })
