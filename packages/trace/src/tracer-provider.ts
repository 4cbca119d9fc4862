import {
  type TracerProvider as ApiTracerProvider,
  type Attributes,
  type ContextManager,
  context as contextApi,
  ProxyTracerProvider,
  propagation,
  type TextMapPropagator,
  type TracerOptions,
  trace,
} from '@opentelemetry/api'
import { type Clock, SystemClock } from './clock.ts'
import { AsyncContextManager } from './context-manager.ts'
import { Diagnostics } from './diagnostics.ts'
import type { IdGenerator } from './id-source.ts'
import type { OpenSpans } from './open-spans.ts'
import type { SpanSink } from './records.ts'
import type { Sampler } from './sampler.ts'
import { alwaysOnSampler, parentBasedSampler } from './samplers.ts'
import type { LiveSpanCount, StartedSpanCount } from './span-counts.ts'
import { resolveSpanLimits, type SpanLimits } from './span-limits.ts'
import { SpanPipeline } from './span-pipeline.ts'
import type { SpanProcessor } from './span-processor.ts'
import { toText } from './text.ts'
import { invalidOption } from './trace-error.ts'
import { Tracer } from './tracer.ts'
import { w3cTraceContextPropagator } from './w3c-trace-context-propagator.ts'

/** What a TracerProvider takes; all optional. */
export interface TracerProviderOptions {
  /** Attributes of what produces the spans (`service.name`, ...). Nothing is detected here. Default: none. */
  readonly resource?: Attributes
  /** Default: parent based, every root sampled. */
  readonly sampler?: Sampler
  /** Default: OpenTelemetry's. */
  readonly spanLimits?: SpanLimits
  /** Where ended spans go, called in this order. */
  readonly spanSinks?: readonly SpanSink[]
  /** OpenTelemetry's span processors; spans get a ReadableSpan view only when there is one. */
  readonly spanProcessors?: readonly SpanProcessor[]
  /** Default: random ids. A generator's ids do not get the W3C random flag. */
  readonly idGenerator?: IdGenerator
  /** Default: a new SystemClock. */
  readonly clock?: Clock
  /** Gets each sampled span from its start to its end. Default: no such list is kept. */
  readonly openSpans?: OpenSpans
}

/** What `register` makes global beside the provider. */
export interface RegisterOptions {
  /** Default: W3C trace context. null leaves the global propagator alone. */
  readonly propagator?: TextMapPropagator | null
  /** Default: a new AsyncContextManager. null leaves the global context manager alone. */
  readonly contextManager?: ContextManager | null
}

/** Scopes are kept to give one tracer per scope; a program that invents names without end gets uncached tracers. */
const tracersMax = 1000

/** Makes tracers, and owns everything they share: sampler, limits, clock, and where ended spans go. */
export class TracerProvider implements ApiTracerProvider {
  readonly resource: Readonly<Attributes>
  readonly clock: Clock
  readonly #pipeline: SpanPipeline
  readonly #tracers = new Map<string, Tracer>()
  #unregister: (() => void)[] = []
  #shutdown: Promise<void> | undefined

  /** Throws a TraceError when an option is wrong. */
  constructor(options: TracerProviderOptions = {}) {
    const sampler = options.sampler ?? parentBasedSampler({ root: alwaysOnSampler() })
    if (typeof sampler.shouldSample !== 'function') throw invalidOption('sampler', sampler, 'a Sampler')
    this.resource = Object.freeze({ ...options.resource })
    this.clock = options.clock ?? new SystemClock()
    this.#pipeline = new SpanPipeline({
      sampler,
      limits: resolveSpanLimits(options.spanLimits),
      clock: this.clock,
      diagnostics: new Diagnostics(),
      resource: this.resource,
      sinks: [...(options.spanSinks ?? [])],
      processors: [...(options.spanProcessors ?? [])],
      idGenerator: options.idGenerator,
      openSpans: options.openSpans,
    })
  }

  /** The tracer of an instrumentation scope; the same object for the same name, version and schema URL. */
  getTracer(name: string, version = '', options: TracerOptions = {}): Tracer {
    const schemaUrl = options.schemaUrl ?? ''
    const key = JSON.stringify([name, version, schemaUrl])
    const known = this.#tracers.get(key)
    if (known !== undefined) return known
    const tracer = new Tracer(this.#pipeline, { name: toText(name), version, schemaUrl, flatAttributes: [] })
    if (this.#tracers.size < tracersMax) this.#tracers.set(key, tracer)
    return tracer
  }

  /**
   * Makes this provider, a propagator and a context manager OpenTelemetry's global ones. False, with nothing changed, when
   * the global provider is somebody else's; each of the other two is set when its place is free.
   */
  register(options: RegisterOptions = {}): boolean {
    if (this.#unregister.length > 0) return true
    if (!trace.setGlobalTracerProvider(this)) return false
    this.#unregister.push(() => {
      const current = trace.getTracerProvider()
      const delegate = current instanceof ProxyTracerProvider ? current.getDelegate() : current
      if (delegate === this) trace.disable()
    })
    const contextManager =
      options.contextManager === undefined ? new AsyncContextManager() : options.contextManager
    if (contextManager !== null && contextApi.setGlobalContextManager(contextManager.enable())) {
      this.#unregister.push(() => contextApi.disable())
    }
    const propagator = options.propagator === undefined ? w3cTraceContextPropagator() : options.propagator
    if (propagator !== null && propagation.setGlobalPropagator(propagator)) {
      this.#unregister.push(() => propagation.disable())
    }
    return true
  }

  /** Undoes `register`: only what it set is taken away. */
  unregister(): void {
    for (const undo of this.#unregister.toReversed()) undo()
    this.#unregister = []
  }

  /** How many spans were started, by parent and sampling result; counts that are 0 are among them. */
  startedSpanCounts(): readonly StartedSpanCount[] {
    return this.#pipeline.counts.started()
  }

  /** How many recording spans have not ended. */
  liveSpanCounts(): readonly LiveSpanCount[] {
    return this.#pipeline.counts.live()
  }

  /** Resolves when every sink and processor has flushed; a failure is reported through `diag` and does not reject. */
  async forceFlush(): Promise<void> {
    await this.#pipeline.forceFlush()
  }

  /** From the call on, new spans are not recorded. Resolves when all is flushed; later calls get the same promise. */
  shutdown(): Promise<void> {
    this.#pipeline.closed = true
    this.#shutdown ??= this.#pipeline.shutdown()
    return this.#shutdown
  }
}
