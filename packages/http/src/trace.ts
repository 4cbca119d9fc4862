import {
  type Context,
  createContextKey,
  diag,
  ProxyTracerProvider,
  type SpanOptions,
  type Tracer,
  type TracerProvider,
  trace,
} from '@opentelemetry/api'
import type { AttributeBlock } from '@throughline/trace'
import { type Tracer as OwnTracer, TracerProvider as OwnTracerProvider } from '@throughline/trace'
import { normalizeExcludedPaths } from './excluded-paths.ts'
import { checkOptions, type HttpOptions, type OutgoingTarget } from './options.ts'
import { redactedKeys } from './url.ts'

const scopeName = '@throughline/http'
const scopeVersion = '0.1.0'

/** What the API answers with while nobody has registered a provider: tracing is off. */
const noProvider: TracerProvider = new ProxyTracerProvider().getDelegate()

/** The key that OpenTelemetry's exporters set around their own requests. */
const suppressTracingKey: symbol = createContextKey('OpenTelemetry SDK Context Key SUPPRESS_TRACING')

/** Set while a client span of ours is already around the call: the layer below makes no second one. */
const coveredKey: symbol = createContextKey('Throughline HTTP client span exists')

/** Set by who sends a request again. */
const resendCountKey: symbol = createContextKey('Throughline HTTP resend count')

/**
 * The context in which a request is sent for the `resendCount`th time again (1: the second attempt): its client span says
 * so by `http.request.resend_count`. https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-client-span
 */
export function contextWithResendCount(active: Context, resendCount: number): Context {
  return active.setValue(resendCountKey, resendCount)
}

/** 0 for what is not sent again. */
export function resendCountOf(active: Context): number {
  const count = active.getValue(resendCountKey)
  return typeof count === 'number' ? count : 0
}

/** @throughline/trace's tracer takes a block of shared attributes; other tracers ignore the member. */
export interface StartOptions extends SpanOptions {
  attributeBlock?: AttributeBlock
}

/** True where no client span may be made: inside an exporter, or below a client span of this package. */
export function isClientSuppressed(active: Context): boolean {
  return active.getValue(suppressTracingKey) === true || active.getValue(coveredKey) === true
}

/** The context in which a base transport runs when the span around it already exists. */
export function coveredContext(active: Context): Context {
  return active.setValue(coveredKey, true)
}

/**
 * The options, checked and made ready, the tracer, and the count of what went wrong: what every part of the package
 * shares. Nothing here throws after the constructor.
 */
export class HttpTracing {
  readonly options: HttpOptions
  readonly stable: boolean
  readonly old: boolean
  readonly errorStatusFrom: number
  readonly excludedPaths: readonly string[]
  readonly redactedKeys: ReadonlySet<string>
  /** True when the current tracer takes attribute blocks. Set by `tracer()`. */
  takesBlocks = false
  /** True when it also lets attributes follow after the start: `Tracer.attributesMayFollow`. Set by `tracer()`. */
  attributesMayFollow = false
  /** How often a hook, sampler, propagator or span threw into this package. */
  failureCount = 0
  #provider: TracerProvider | undefined
  #tracer: Tracer | undefined

  constructor(options: HttpOptions = {}) {
    checkOptions(options)
    const semconv = options.semconv ?? 'stable'
    this.options = options
    this.stable = semconv !== 'old'
    this.old = semconv !== 'stable'
    this.errorStatusFrom = options.errorStatusFrom ?? 500
    this.excludedPaths = normalizeExcludedPaths(options.excludedPaths ?? [])
    this.redactedKeys = redactedKeys(options.redactedQueryKeys)
  }

  /** The tracer of the provider that is registered now; undefined while there is none. */
  tracer(): Tracer | undefined {
    const provider = this.options.tracerProvider ?? registeredProvider()
    if (provider !== this.#provider) {
      this.#provider = provider
      this.takesBlocks = provider instanceof OwnTracerProvider
      this.#tracer = provider === noProvider ? undefined : provider.getTracer(scopeName, scopeVersion)
      // Our provider makes our tracers.
      this.attributesMayFollow = this.takesBlocks && (this.#tracer as OwnTracer).attributesMayFollow
    }
    return this.#tracer
  }

  /** Runs somebody else's code at our boundary: what it throws is counted and `fallback` returned. */
  guard<T>(where: string, fallback: T, run: () => T): T {
    try {
      return run()
    } catch (error) {
      this.failed(where, error)
      return fallback
    }
  }

  failed(where: string, error: unknown): void {
    this.failureCount += 1
    // Powers of two: the first failures are seen, a failure per request does not flood the log.
    if ((this.failureCount & (this.failureCount - 1)) !== 0) return
    try {
      diag.error(`@throughline/http: ${where} failed (${this.failureCount} failures so far)`, error)
    } catch {
      // A logger that throws must not reach the host through us either.
    }
  }

  propagatesTo(target: OutgoingTarget): boolean {
    const rule = this.options.propagateTo
    if (rule === undefined || rule === 'all') return true
    if (rule === 'none') return false
    if (typeof rule === 'function') return this.guard('propagateTo', false, () => rule(target))
    return rule.some((host) => matchesHost(target.host, host.toLowerCase()))
  }
}

function matchesHost(host: string, rule: string): boolean {
  return rule.startsWith('*.') ? host.endsWith(rule.slice(1)) : host === rule
}

function registeredProvider(): TracerProvider {
  const provider = trace.getTracerProvider()
  return provider instanceof ProxyTracerProvider ? provider.getDelegate() : provider
}
