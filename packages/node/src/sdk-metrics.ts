import type {
  Attributes,
  BatchObservableCallback,
  Meter,
  MeterProvider,
  Observable,
  ObservableCounter,
  ObservableUpDownCounter,
} from '@opentelemetry/api'
import type { AdoptedLedger, Ledger, OtlpProtocol } from '@throughline/exporter'
import type { OpenSpans, TracerProvider } from '@throughline/trace'
import { version } from './version.ts'

/** What the metrics are read from, each time somebody collects them. */
export interface MetricSources {
  readonly provider: Pick<TracerProvider, 'startedSpanCounts' | 'liveSpanCounts'>
  readonly openSpans: Pick<OpenSpans, 'forgottenCount'> | undefined
  readonly exporter: ExporterSource | undefined
}

export interface ExporterSource {
  readonly protocol: OtlpProtocol
  ledger(): Ledger
  adopted(): AdoptedLedger
}

/**
 * Reports on the tracer itself, by OpenTelemetry's conventions for SDK metrics and with what they have no name for. All of it
 * is read from the accounts when it is collected, and costs nothing until then. Returns what ends it.
 * https://opentelemetry.io/docs/specs/semconv/otel/sdk-metrics/
 */
export function reportSdkMetrics(meterProvider: MeterProvider, sources: MetricSources): () => void {
  const meter = meterProvider.getMeter('@throughline/node', version)
  const parts = [spanMetrics(meter, sources)]
  if (sources.exporter !== undefined) parts.push(exporterMetrics(meter, sources.exporter))
  const ends = parts.map(({ observe, instruments }) => {
    meter.addBatchObservableCallback(observe, instruments)
    return () => meter.removeBatchObservableCallback(observe, instruments)
  })
  return () => {
    for (const end of ends) end()
  }
}

interface Part {
  readonly observe: BatchObservableCallback
  readonly instruments: Observable[]
}

const spanUnit = { unit: '{span}' }

function counter(meter: Meter, name: string, description: string): ObservableCounter {
  return meter.createObservableCounter(name, { ...spanUnit, description })
}

function upDownCounter(meter: Meter, name: string, description: string): ObservableUpDownCounter {
  return meter.createObservableUpDownCounter(name, { ...spanUnit, description })
}

function spanMetrics(meter: Meter, { provider, openSpans }: MetricSources): Part {
  const started = counter(meter, 'otel.sdk.span.started', 'Spans that were started.')
  const live = upDownCounter(meter, 'otel.sdk.span.live', 'Recording spans that have not ended.')
  const forgotten = counter(
    meter,
    'throughline.span.forgotten',
    'Open spans that are no longer watched because too many were open.',
  )
  return {
    instruments: [started, live, forgotten],
    observe(result) {
      for (const { count, parentOrigin, samplingResult } of provider.startedSpanCounts())
        if (count > 0)
          result.observe(started, count, {
            'otel.span.parent.origin': parentOrigin,
            'otel.span.sampling_result': samplingResult,
          })
      for (const { count, samplingResult } of provider.liveSpanCounts())
        result.observe(live, count, { 'otel.span.sampling_result': samplingResult })
      if (openSpans !== undefined) result.observe(forgotten, openSpans.forgottenCount)
    },
  }
}

/** Refused before they were handed to the export thread: failures of the processor, in OpenTelemetry's terms. */
const processorErrorTypes: Readonly<Record<string, string>> = {
  after_shutdown: 'already_shutdown',
  encode_error: 'encode_error',
  queue_full: 'queue_full',
  span_too_large: 'span_too_large',
}

const exporterTypes: Readonly<Record<OtlpProtocol, string>> = {
  grpc: 'otlp_grpc_span_exporter',
  'http/protobuf': 'otlp_http_span_exporter',
  'http/json': 'otlp_http_json_span_exporter',
}

function exporterMetrics(meter: Meter, exporter: ExporterSource): Part {
  const processed = counter(meter, 'otel.sdk.processor.span.processed', 'Spans that were taken or refused.')
  const queueSize = upDownCounter(meter, 'otel.sdk.processor.span.queue.size', 'Spans that wait in memory.')
  const inflight = upDownCounter(
    meter,
    'otel.sdk.exporter.span.inflight',
    'Spans that are neither delivered nor given up, in memory and on disk.',
  )
  const exported = counter(
    meter,
    'otel.sdk.exporter.span.exported',
    'Spans that were delivered, or given up with the reason as error.type.',
  )
  const spooled = upDownCounter(meter, 'throughline.spool.span.waiting', 'Spans of this process on disk.')
  const adopted = counter(meter, 'throughline.spool.span.adopted', 'Spans taken over from dead processes.')
  const lost = counter(meter, 'throughline.exporter.span.dropped', 'Spans that will never arrive.')
  const processor = componentOf('batching_span_processor')
  const component = componentOf(exporterTypes[exporter.protocol])
  return {
    instruments: [processed, queueSize, inflight, exported, spooled, adopted, lost],
    observe(result) {
      const own = exporter.ledger()
      const others = exporter.adopted()
      const { refused, givenUp } = split(own.dropped)
      result.observe(processed, own.ended - sum(refused), processor)
      for (const [type, count] of Object.entries(refused))
        result.observe(processed, count, { ...processor, 'error.type': processorErrorTypes[type] ?? type })
      result.observe(queueSize, own.pending, processor)
      result.observe(inflight, own.pending + own.spooled + others.waiting, component)
      result.observe(exported, own.delivered + others.delivered, component)
      for (const [type, count] of Object.entries(added(givenUp, others.dropped)))
        result.observe(exported, count, { ...component, 'error.type': type })
      result.observe(spooled, own.spooled, component)
      result.observe(adopted, others.adopted, component)
      for (const [reason, count] of Object.entries(added(own.dropped, others.dropped)))
        result.observe(lost, count, { ...component, 'error.type': reason })
    },
  }
}

const componentOf = (type: string): Attributes => ({
  'otel.component.type': type,
  // One of each is all that a process has.
  'otel.component.name': `${type}/0`,
})

type Counts = Readonly<Record<string, number>>

const isRefusal = ([reason]: readonly [string, number]): boolean => Object.hasOwn(processorErrorTypes, reason)

function split(dropped: Counts): { readonly refused: Counts; readonly givenUp: Counts } {
  const entries = Object.entries(dropped)
  return {
    refused: Object.fromEntries(entries.filter(isRefusal)),
    givenUp: Object.fromEntries(entries.filter((entry) => !isRefusal(entry))),
  }
}

function added(some: Counts, more: Counts): Counts {
  const total: Record<string, number> = { ...some }
  for (const [key, count] of Object.entries(more)) total[key] = (total[key] ?? 0) + count
  return total
}

const sum = (counts: Counts): number => Object.values(counts).reduce((total, count) => total + count, 0)
