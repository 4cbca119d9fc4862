import { context, propagation, SpanKind, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { CompositePropagator, W3CBaggagePropagator, W3CTraceContextPropagator } from '@opentelemetry/core'
import {
  BasicTracerProvider,
  type ReadableSpan,
  type Sampler,
  SamplingDecision,
  type SpanProcessor,
} from '@opentelemetry/sdk-trace-base'
import { AsyncContextManager, TracerProvider } from '@throughline/trace'

/** What the tests read of an ended span; both SDKs' spans have it. */
export type EndedSpan = Pick<
  ReadableSpan,
  'name' | 'kind' | 'attributes' | 'status' | 'events' | 'links' | 'parentSpanContext' | 'spanContext'
>

/** Far beyond what any machine needs, and below the limit of a test file. */
const takeTimeoutMs = 60_000

/** Collects ended spans and lets a test wait for the next ones. */
export class SpanCollector {
  #spans: EndedSpan[] = []
  #wake: (() => void) | undefined

  readonly processor: SpanProcessor = {
    onStart: () => {},
    onEnd: (span: EndedSpan) => {
      this.#spans.push(span)
      this.#wake?.()
    },
    forceFlush: async () => {},
    shutdown: async () => {},
  }

  /** The next `count` ended spans, in order of their ends. Rejects, naming what came, when they do not come at all. */
  async take(count: number): Promise<EndedSpan[]> {
    let isOverdue = false
    const timer = setTimeout(() => {
      isOverdue = true
      this.#wake?.()
    }, takeTimeoutMs)
    while (this.#spans.length < count) {
      if (isOverdue) {
        const names = this.#spans.map((span) => `${SpanKind[span.kind]} ${span.name}`)
        throw new Error(`${names.length} of ${count} spans came: ${names.join(', ')}`)
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    clearTimeout(timer)
    return this.#spans.splice(0, count)
  }

  async one(): Promise<EndedSpan> {
    const [span] = await this.take(1)
    if (span === undefined) throw new Error('take() gave less than it promised')
    return span
  }

  /** Spans that ended and that no test has taken. */
  get untaken(): readonly EndedSpan[] {
    return this.#spans
  }
}

/** Whether the next spans are sampled; the tests turn it. */
export interface SamplerSwitch {
  decide: () => boolean
}

export interface TestProvider {
  readonly name: string
  readonly collector: SpanCollector
  readonly sampler: SamplerSwitch
}

/** OpenTelemetry's own SDK, registered globally. */
export function registerOpenTelemetry(): TestProvider {
  const collector = new SpanCollector()
  const sampler: SamplerSwitch = { decide: () => true }
  trace.setGlobalTracerProvider(
    new BasicTracerProvider({ sampler: switchable(sampler), spanProcessors: [collector.processor] }),
  )
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  registerPropagator()
  return { name: 'OpenTelemetry SDK', collector, sampler }
}

/** @throughline/trace, registered globally. */
export function registerThroughline(): TestProvider {
  const collector = new SpanCollector()
  const sampler: SamplerSwitch = { decide: () => true }
  trace.setGlobalTracerProvider(
    new TracerProvider({ sampler: switchable(sampler), spanProcessors: [collector.processor] }),
  )
  context.setGlobalContextManager(new AsyncContextManager())
  registerPropagator()
  return { name: 'Throughline', collector, sampler }
}

export function registerPropagator(): void {
  propagation.setGlobalPropagator(
    new CompositePropagator({ propagators: [new W3CTraceContextPropagator(), new W3CBaggagePropagator()] }),
  )
}

function switchable(sampler: SamplerSwitch): Sampler {
  const { NOT_RECORD, RECORD_AND_SAMPLED } = SamplingDecision
  return {
    shouldSample: () => ({ decision: sampler.decide() ? RECORD_AND_SAMPLED : NOT_RECORD }),
    toString: () => 'Switchable',
  }
}
