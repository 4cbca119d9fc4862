import type { Attributes, Context, Link, SpanKind } from '@opentelemetry/api'
import type { Clock } from './clock.ts'
import type { Diagnostics } from './diagnostics.ts'
import { createIdSource, type IdGenerator, type IdSource } from './id-source.ts'
import { type SpanIdentity, sampledFlag } from './identified-span.ts'
import { NonRecordingSpan } from './non-recording-span.ts'
import type { OpenSpans } from './open-spans.ts'
import { ReadableSpanView, readableResource } from './readable-span.ts'
import type { SpanSink } from './records.ts'
import { type Sampler, SamplingDecision, type SamplingResult } from './sampler.ts'
import { type FastDecision, fastDecisionOf } from './samplers.ts'
import type { Span, SpanHost } from './span.ts'
import { recordAndSample, recordOnly, SpanCounts } from './span-counts.ts'
import type { SpanLimits } from './span-limits.ts'
import type { ReadableResource, SpanProcessor } from './span-processor.ts'

export interface SpanPipelineOptions {
  readonly sampler: Sampler
  readonly limits: Required<SpanLimits>
  readonly clock: Clock
  readonly diagnostics: Diagnostics
  readonly resource: Attributes
  readonly sinks: readonly SpanSink[]
  readonly processors: readonly SpanProcessor[]
  readonly idGenerator: IdGenerator | undefined
  readonly openSpans: OpenSpans | undefined
}

interface SamplingQuestion {
  readonly context: Context
  readonly traceId: string
  readonly name: string
  readonly kind: SpanKind
  readonly attributes: Attributes
  readonly links: Link[]
}

/**
 * What all tracers of a provider share, and the fence between host and plug-ins: nothing that a sampler, processor or
 * sink throws gets past it.
 */
export class SpanPipeline implements SpanHost {
  readonly clock: Clock
  readonly limits: Required<SpanLimits>
  readonly diagnostics: Diagnostics
  readonly ids: IdSource
  /** Undefined when the sampler is not one of ours. */
  readonly fastDecision: FastDecision | undefined
  readonly hasProcessors: boolean
  readonly openSpans: OpenSpans | undefined
  readonly counts: SpanCounts = new SpanCounts()
  /** True from the call of shutdown on. */
  closed = false
  readonly #sampler: Sampler
  readonly #resource: ReadableResource
  readonly #sinks: readonly SpanSink[]
  readonly #processors: readonly SpanProcessor[]

  constructor(options: SpanPipelineOptions) {
    this.clock = options.clock
    this.limits = options.limits
    this.diagnostics = options.diagnostics
    this.ids = createIdSource(options.idGenerator, options.diagnostics)
    this.fastDecision = fastDecisionOf(options.sampler)
    this.hasProcessors = options.processors.length > 0
    this.openSpans = options.openSpans
    this.#sampler = options.sampler
    this.#resource = readableResource(options.resource)
    this.#sinks = options.sinks
    this.#processors = options.processors
  }

  sample(question: SamplingQuestion): SamplingResult {
    const { context, traceId, name, kind, attributes, links } = question
    try {
      return this.#sampler.shouldSample(context, traceId, name, kind, attributes, links) ?? notRecorded
    } catch (error) {
      this.diagnostics.warn('sampler', 'the sampler threw; the span is not recorded', error)
      return notRecorded
    }
  }

  onStart(span: Span, parent: SpanIdentity | undefined, context: Context): void {
    const view = this.#viewOf(span, parent)
    this.#each('onStart', (processor) => processor.onStart(view, context))
  }

  onEnding(span: Span): void {
    if (!this.hasProcessors) return
    const view = this.#viewOf(span)
    this.#each('onEnding', (processor) => processor.onEnding?.(view))
  }

  onEnd(span: Span): void {
    const isSampled = (span.traceFlags & sampledFlag) !== 0
    this.counts.end(isSampled ? recordAndSample : recordOnly)
    if (isSampled) {
      this.openSpans?.remove(span)
      for (const sink of this.#sinks) {
        try {
          sink.onEnd(span)
        } catch (error) {
          this.diagnostics.warn('sink', 'a span sink threw', error)
        }
      }
    }
    if (!this.hasProcessors) return
    if (this.closed) {
      this.diagnostics.warn('late end', 'a span ended after shutdown; span processors do not get it')
      return
    }
    const view = this.#viewOf(span)
    this.#each('onEnd', (processor) => processor.onEnd(view))
  }

  async forceFlush(): Promise<void> {
    await this.#settle('forceFlush', (part) => part.forceFlush())
  }

  async shutdown(): Promise<void> {
    await this.#settle('shutdown', (part) => part.shutdown())
  }

  #viewOf(span: Span, parent?: SpanIdentity): ReadableSpanView {
    if (span.view instanceof ReadableSpanView) return span.view
    const view = new ReadableSpanView(span, {
      resource: this.#resource,
      originUnixNano: this.clock.originUnixNano,
      parentSpanContext:
        parent === undefined
          ? undefined
          : new NonRecordingSpan(
              parent,
              parent.traceFlags,
              parent.traceStateText,
              parent.isRemote,
            ).spanContext(),
    })
    span.view = view
    return view
  }

  #each(method: string, call: (processor: SpanProcessor) => void): void {
    for (const processor of this.#processors) {
      try {
        call(processor)
      } catch (error) {
        this.diagnostics.warn(method, `a span processor's ${method} threw`, error)
      }
    }
  }

  /** Waits for all; a part that fails is reported and keeps nobody else from finishing. */
  async #settle(method: string, call: (part: SpanSink | SpanProcessor) => Promise<unknown>): Promise<void> {
    const parts = [...this.#sinks, ...this.#processors]
    const results = await Promise.allSettled(parts.map(async (part) => call(part)))
    for (const result of results) {
      if (result.status === 'rejected') this.diagnostics.warn(method, `${method} failed`, result.reason)
    }
  }
}

const notRecorded: SamplingResult = { decision: SamplingDecision.NOT_RECORD }
