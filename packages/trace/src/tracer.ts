import {
  type Span as ApiSpan,
  type Tracer as ApiTracer,
  type Context,
  context as contextApi,
  ROOT_CONTEXT,
  SpanKind,
  type SpanOptions,
} from '@opentelemetry/api'
import { attributesToObject } from './attributes.ts'
import { contextWithSpan, isTracingSuppressed, spanOf } from './context.ts'
import { traceIdHex } from './hex.ts'
import { IdentifiedSpan, randomFlag, type SpanIdentity, sampledFlag } from './identified-span.ts'
import {
  invalidSpan,
  NonRecordingSpan,
  serializeTraceState,
  spanFromSpanContext,
} from './non-recording-span.ts'
import type { AttributeBlock, ScopeRecord } from './records.ts'
import { SamplingDecision, type SamplingResult } from './sampler.ts'
import { Span } from './span.ts'
import { dropped, recordAndSample, recordOnly } from './span-counts.ts'
import type { SpanPipeline } from './span-pipeline.ts'
import { toText } from './text.ts'
import type { IdWords } from './words.ts'

/** OpenTelemetry's options, and one for instrumentation that knows this tracer. Other tracers ignore it. */
export interface StartSpanOptions extends SpanOptions {
  /** Attributes that many spans share; valid, with distinct keys. `attributes` are added to them. */
  readonly attributeBlock?: AttributeBlock
}

const noOptions: StartSpanOptions = {}

/** Makes spans of one instrumentation scope. Get one from `TracerProvider.getTracer`. */
export class Tracer implements ApiTracer {
  declare readonly scope: ScopeRecord
  declare readonly pipeline: SpanPipeline
  /** Where ids are drawn before there is a span; its content is copied before anybody else's code runs. */
  declare private readonly draft: IdWords

  constructor(pipeline: SpanPipeline, scope: ScopeRecord) {
    this.pipeline = pipeline
    this.scope = scope
    this.draft = { traceId0: 0, traceId1: 0, traceId2: 0, traceId3: 0, spanId0: 0, spanId1: 0 }
  }

  /**
   * True when nobody reads a new span's attributes before `startSpan` returns: the sampler decides by ids, and no
   * processor listens. Then our own instrumentation starts spans bare and makes attributes only for those that record.
   */
  get attributesMayFollow(): boolean {
    return this.pipeline.fastDecision !== undefined && !this.pipeline.hasProcessors
  }

  /**
   * Starts a span as a child of the span in `context`, or a root when there is none (or `options.root`). The span is not
   * made active. Never throws.
   */
  startSpan(
    name: string,
    options: StartSpanOptions = noOptions,
    context: Context = contextApi.active(),
  ): ApiSpan {
    const { pipeline } = this
    if (pipeline.closed) return this.afterShutdown(context)
    if (isTracingSuppressed(context)) return invalidSpan()
    const parent = options.root === true ? undefined : identityOf(context)
    const ids = this.draft
    let traceFlags = 0
    if (parent === undefined) {
      traceFlags = pipeline.ids.drawTraceId(ids) ? randomFlag : 0
    } else {
      ids.traceId0 = parent.traceId0
      ids.traceId1 = parent.traceId1
      ids.traceId2 = parent.traceId2
      ids.traceId3 = parent.traceId3
      // A participant that keeps the trace id keeps its random flag. https://www.w3.org/TR/trace-context-2/#random-trace-id-flag
      traceFlags = parent.traceFlags & randomFlag
    }
    pipeline.ids.drawSpanId(ids)
    const decide = pipeline.fastDecision
    if (decide === undefined) return this.startBySampler(name, options, { context, parent, traceFlags })
    const traceStateText = parent === undefined ? '' : parent.traceStateText
    if (!decide(parent, ids)) {
      pipeline.counts.start(parent, dropped)
      return new NonRecordingSpan(ids, traceFlags, traceStateText, false)
    }
    return this.record(name, options, {
      context,
      parent,
      ids,
      traceFlags: traceFlags | sampledFlag,
      traceStateText,
    })
  }

  startActiveSpan<F extends (span: ApiSpan) => unknown>(name: string, fn: F): ReturnType<F>
  startActiveSpan<F extends (span: ApiSpan) => unknown>(
    name: string,
    options: StartSpanOptions,
    fn: F,
  ): ReturnType<F>
  startActiveSpan<F extends (span: ApiSpan) => unknown>(
    name: string,
    options: StartSpanOptions,
    context: Context,
    fn: F,
  ): ReturnType<F>
  /** Starts a span and runs `fn` with it as the active span. It is `fn`'s task to end it. */
  startActiveSpan<F extends (span: ApiSpan) => unknown>(
    name: string,
    optionsOrFn: StartSpanOptions | F,
    contextOrFn?: Context | F,
    lastFn?: F,
  ): ReturnType<F> | undefined {
    const fn = lastFn ?? (typeof contextOrFn === 'function' ? contextOrFn : optionsOrFn)
    if (typeof fn !== 'function') return undefined
    const options = typeof optionsOrFn === 'function' ? noOptions : optionsOrFn
    const parentContext =
      contextOrFn === undefined || typeof contextOrFn === 'function' ? contextApi.active() : contextOrFn
    const span = this.startSpan(name, options, parentContext)
    // What F returns is what this call of it returns; the API's types cannot say so for a generic F.
    return contextApi.with(contextWithSpan(parentContext, span), fn as ActiveFn<F>, undefined, span)
  }

  private record(name: string, options: StartSpanOptions, made: Made): Span {
    const kind: number = options.kind ?? SpanKind.INTERNAL
    const span = new Span(this, {
      ids: made.ids,
      traceFlags: made.traceFlags,
      traceStateText: made.traceStateText,
      parent: made.parent,
      name: toText(name),
      // The API counts kinds from 0 and OTLP from 1; anything unknown is INTERNAL.
      otlpKind: kind >= 0 && kind <= 4 ? kind + 1 : 1,
      startTime: options.startTime,
    })
    if (options.attributeBlock !== undefined) span.setAttributeBlock(options.attributeBlock)
    if (options.attributes !== undefined) span.setAttributes(options.attributes)
    if (options.links !== undefined) span.addLinks(options.links)
    const { openSpans, counts } = this.pipeline
    const isSampled = (made.traceFlags & sampledFlag) !== 0
    counts.start(made.parent, isSampled ? recordAndSample : recordOnly)
    if (openSpans !== undefined && isSampled) openSpans.add(span)
    if (this.pipeline.hasProcessors) this.pipeline.onStart(span, made.parent, made.context)
    return span
  }

  /** The long way: the sampler is somebody else's code and wants hex and objects. */
  private startBySampler(
    name: string,
    options: StartSpanOptions,
    drawn: {
      readonly context: Context
      readonly parent: SpanIdentity | undefined
      readonly traceFlags: number
    },
  ): ApiSpan {
    // A copy: the sampler may start spans of its own.
    const ids = { ...this.draft }
    const context = options.root === true ? contextWithSpan(drawn.context, invalidSpan()) : drawn.context
    const attributes = attributesToObject(options.attributeBlock?.entries ?? [])
    const result: SamplingResult = this.pipeline.sample({
      context,
      traceId: traceIdHex(ids),
      name,
      kind: options.kind ?? SpanKind.INTERNAL,
      attributes: Object.assign(attributes, options.attributes),
      links: options.links ?? [],
    })
    const traceStateText =
      result.traceState === undefined
        ? (drawn.parent?.traceStateText ?? '')
        : serializeTraceState(result.traceState)
    if (
      result.decision !== SamplingDecision.RECORD &&
      result.decision !== SamplingDecision.RECORD_AND_SAMPLED
    ) {
      this.pipeline.counts.start(drawn.parent, dropped)
      return new NonRecordingSpan(ids, drawn.traceFlags, traceStateText, false)
    }
    const sampled = result.decision === SamplingDecision.RECORD_AND_SAMPLED ? sampledFlag : 0
    const attributesOfBoth = result.attributes === undefined ? options : withAttributes(options, result)
    return this.record(name, attributesOfBoth, {
      context: drawn.context,
      parent: drawn.parent,
      ids,
      traceFlags: drawn.traceFlags | sampled,
      traceStateText,
    })
  }

  /** Context still flows through: the parent's ids go on, unchanged. */
  private afterShutdown(context: Context): ApiSpan {
    this.pipeline.diagnostics.warn(
      'shutdown',
      'a span was started after the tracer provider was shut down; it is not recorded',
    )
    const parent = identityOf(context)
    return parent === undefined
      ? invalidSpan()
      : new NonRecordingSpan(parent, parent.traceFlags, parent.traceStateText, parent.isRemote)
  }
}

type ActiveFn<F extends (span: ApiSpan) => unknown> = (span: ApiSpan) => ReturnType<F>

interface Made {
  readonly context: Context
  readonly parent: SpanIdentity | undefined
  readonly ids: Readonly<IdWords>
  readonly traceFlags: number
  readonly traceStateText: string
}

function withAttributes(options: StartSpanOptions, result: SamplingResult): StartSpanOptions {
  return { ...options, attributes: { ...options.attributes, ...result.attributes } }
}

/** The valid parent in a context, whoever made its span. */
function identityOf(context: Context): SpanIdentity | undefined {
  if (context === ROOT_CONTEXT) return undefined
  const span = spanOf(context)
  if (span === undefined) return undefined
  if (span instanceof IdentifiedSpan) {
    return (span.spanId0 | span.spanId1) === 0 ? undefined : span
  }
  try {
    return spanFromSpanContext(span.spanContext())
  } catch {
    return undefined
  }
}
