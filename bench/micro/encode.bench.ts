// OTLP encoding, alone and as part of a span's life. Run: node bench/dist/micro/encode.bench.js
import { SpanKind, type Tracer } from '@opentelemetry/api'
import { ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { BasicTracerProvider, type ReadableSpan, type SpanProcessor } from '@opentelemetry/sdk-trace-base'
import { decodeTraces, SpanChunkEncoder, type SpanRecord } from '@throughline/otlp'
import { type SpanSink, TracerProvider } from '@throughline/trace'
import { bench, do_not_optimize, summary } from 'mitata'
import { report } from './report.ts'

const batchSpans = 512
const resource = { 'service.name': 'bench', 'host.name': 'machine', 'process.pid': 4711 }
const nothing = async (): Promise<void> => {}

/** Collects spans of a tracer, to have real ones to encode. */
class Collected implements SpanSink, SpanProcessor {
  readonly records: SpanRecord[] = []
  readonly readable: ReadableSpan[] = []
  onStart(): void {}
  onEnd(span: SpanRecord | ReadableSpan): void {
    if ('traceId0' in span) this.records.push(span)
    else this.readable.push(span)
  }
  forceFlush = nothing
  shutdown = nothing
}

function spanWithEightAttributes(tracer: Tracer, i: number): void {
  const span = tracer.startSpan('GET /users/:id', { kind: SpanKind.SERVER })
  span.setAttribute('http.request.method', 'GET')
  span.setAttribute('url.path', `/users/${i}`)
  span.setAttribute('url.scheme', 'http')
  span.setAttribute('http.route', '/users/:id')
  span.setAttribute('http.response.status_code', 200)
  span.setAttribute('server.address', 'localhost')
  span.setAttribute('server.port', 8080)
  span.setAttribute('user_agent.original', 'curl/8.5.0')
  span.end()
}

function spanWithFiveAttributes(tracer: Tracer): void {
  const span = tracer.startSpan('GET /users/:id')
  span.setAttribute('http.request.method', 'GET')
  span.setAttribute('url.path', '/users/42')
  span.setAttribute('http.route', '/users/:id')
  span.setAttribute('http.response.status_code', 200)
  span.setAttribute('server.port', 8080)
  span.end()
}

const collected = new Collected()
const ours = new TracerProvider({ spanSinks: [collected] })
const theirs = new BasicTracerProvider({
  resource: resourceFromAttributes(resource),
  spanProcessors: [collected],
})
for (let i = 0; i < batchSpans; i++) {
  spanWithEightAttributes(ours.getTracer('bench'), i)
  spanWithEightAttributes(theirs.getTracer('bench'), i)
}

const encoder = new SpanChunkEncoder({ resource })
let buffer = new ArrayBuffer(256 * 1024)

function encodeOurs(): Uint8Array {
  encoder.attach(buffer)
  for (const record of collected.records) encoder.add(record)
  const chunk = encoder.finish()
  buffer = chunk.buffer as ArrayBuffer
  return chunk
}

function encodeTheirs(): Uint8Array {
  return ProtobufTraceSerializer.serializeRequest(collected.readable) ?? new Uint8Array(0)
}

/** Our tracer straight into an encoder, as the exporter does it. */
class EncodingSink implements SpanSink {
  readonly #encoder = new SpanChunkEncoder({ resource })
  #buffer = new ArrayBuffer(256 * 1024)
  onEnd(span: SpanRecord): void {
    if (this.#encoder.add(span) === 'ok') return
    this.#buffer = this.#encoder.finish().buffer as ArrayBuffer
    this.#encoder.attach(this.#buffer)
    this.#encoder.add(span)
  }
  forceFlush = nothing
  shutdown = nothing
}

/** Their tracer, batches of 512 into their serializer, as BatchSpanProcessor and the exporter do it. */
class SerializingProcessor implements SpanProcessor {
  #spans: ReadableSpan[] = []
  onStart(): void {}
  onEnd(span: ReadableSpan): void {
    this.#spans.push(span)
    if (this.#spans.length < batchSpans) return
    do_not_optimize(ProtobufTraceSerializer.serializeRequest(this.#spans))
    this.#spans = []
  }
  forceFlush = nothing
  shutdown = nothing
}

const oursEncoding = new TracerProvider({ spanSinks: [new EncodingSink()] }).getTracer('bench')
const theirsEncoding = new BasicTracerProvider({
  resource: resourceFromAttributes(resource),
  spanProcessors: [new SerializingProcessor()],
}).getTracer('bench')

const chunk = Uint8Array.from(encodeOurs())
const theirChunk = encodeTheirs()
checkSame(chunk, theirChunk)

const encodeName = `OTLP encode, ${batchSpans} spans with 8 attributes`
const lifeName = 'span, 5 attributes, end, OTLP encode'
const decodeName = `OTLP decode, ${batchSpans} spans with 8 attributes`
summary(() => {
  bench(`${encodeName}: throughline`, () => do_not_optimize(encodeOurs()))
  bench(`${encodeName}: opentelemetry`, () => do_not_optimize(encodeTheirs()))
})
summary(() => {
  bench(`${lifeName}: throughline`, () => spanWithFiveAttributes(oursEncoding))
  bench(`${lifeName}: opentelemetry`, () => spanWithFiveAttributes(theirsEncoding))
})
// OpenTelemetry JS decodes no requests: there is no rival to run.
bench(`${decodeName}: throughline`, () => do_not_optimize(decodeTraces(chunk)))

await report('encode', { [encodeName]: batchSpans, [decodeName]: batchSpans })

/** Both encoders say the same, or the comparison means nothing. */
function checkSame(...chunks: readonly Uint8Array[]): void {
  const attributes = chunks.map((bytes) => {
    const spans = decodeTraces(bytes).value?.resourceSpans[0]?.scopeSpans[0]?.spans ?? []
    return JSON.stringify(spans.map((span) => [span.name, span.kind, span.attributes]))
  })
  if (new Set(attributes).size !== 1) throw new Error('the encoders do not write the same spans')
  console.log(`bytes of 512 spans: ${chunks.map(({ length }) => length).join(' ours, ')} theirs`)
}
