import {
  type Context,
  context as contextApi,
  propagation,
  type Span,
  SpanKind,
  SpanStatusCode,
  type TextMapSetter,
  trace,
} from '@opentelemetry/api'
import {
  clientAttributes,
  errorType,
  httpRequestResendCount,
  httpResponseStatusCode,
  methodInName,
  networkPeerAddress,
  networkPeerPort,
  networkProtocolVersion,
  oldFlavor,
  oldPeerAddress,
  oldPeerPort,
  oldStatusCode,
} from './attributes.ts'
import { messageOf, typeName } from './error-type.ts'
import type { OutgoingTarget } from './options.ts'
import { type HttpTracing, isClientSuppressed, resendCountOf } from './trace.ts'

/** What a response tells a client span. */
export interface ResponseFacts {
  readonly status: number
  /** `1.1`; undefined: unknown. */
  readonly httpVersion?: string | undefined
  readonly peerAddress?: string | undefined
  readonly peerPort?: number | undefined
}

/**
 * Starts the span of an outgoing request as a child of the active span and writes the trace headers. undefined when
 * tracing is off or suppressed here, or the request is ignored; `ignoreOutgoing` then leaves the headers out as well.
 */
export function startClientSpan<C>(
  tracing: HttpTracing,
  target: OutgoingTarget,
  carrier: { readonly headers: C; readonly setter: TextMapSetter<C> },
): ClientSpan | undefined {
  const tracer = tracing.tracer()
  if (tracer === undefined) return undefined
  const active = contextApi.active()
  if (isClientSuppressed(active)) return undefined
  const ignore = tracing.options.ignoreOutgoing
  if (ignore !== undefined && tracing.guard('ignoreOutgoing', false, () => ignore(target))) return undefined
  const span = tracing.guard('the start of a client span', undefined, () => {
    const attributes = clientAttributes(target, tracing)
    const resendCount = resendCountOf(active)
    if (resendCount > 0) attributes[httpRequestResendCount] = resendCount
    return tracer.startSpan(methodInName(target.method), { kind: SpanKind.CLIENT, attributes }, active)
  })
  const context = span === undefined ? active : trace.setSpan(active, span)
  if (tracing.propagatesTo(target)) {
    tracing.guard('injecting the context', undefined, () =>
      propagation.inject(context, carrier.headers, carrier.setter),
    )
  }
  return span === undefined ? undefined : new ClientSpan(tracing, span, context)
}

/** The client side of one request. Every method may be called at any time; after the end they do nothing. */
export class ClientSpan {
  readonly tracing: HttpTracing
  /** The caller's context with this span in it. */
  readonly context: Context
  readonly #span: Span
  #ended: boolean
  #responded = false

  constructor(tracing: HttpTracing, span: Span, context: Context) {
    this.tracing = tracing
    this.context = context
    this.#span = span
    this.#ended = !span.isRecording()
  }

  get isRecording(): boolean {
    return !this.#ended
  }

  get hasResponse(): boolean {
    return this.#responded
  }

  /** The response's head arrived. */
  respond(facts: ResponseFacts): void {
    if (this.#ended) return
    this.#responded = true
    this.#attempt(() => {
      const { stable, old } = this.tracing
      const span = this.#span
      if (stable) span.setAttribute(httpResponseStatusCode, facts.status)
      if (old) span.setAttribute(oldStatusCode, facts.status)
      this.#setKnown(networkProtocolVersion, oldFlavor, facts.httpVersion)
      this.#setKnown(networkPeerAddress, oldPeerAddress, facts.peerAddress)
      this.#setKnown(networkPeerPort, oldPeerPort, facts.peerPort)
      if (facts.status >= 400) {
        span.setAttribute(errorType, String(facts.status))
        span.setStatus({ code: SpanStatusCode.ERROR })
      }
    })
  }

  /** The body was read to the end, or given up. */
  end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#attempt(() => this.#span.end())
  }

  /** The transport failed. */
  fail(thrown: unknown): void {
    if (this.#ended) return
    this.#attempt(() => {
      this.#span.recordException(thrown instanceof Error ? thrown : String(thrown))
      this.#span.setAttribute(errorType, typeName(thrown))
      this.#span.setStatus({ code: SpanStatusCode.ERROR, message: messageOf(thrown) })
    })
    this.end()
  }

  #setKnown(stableName: string, oldName: string, value: string | number | undefined): void {
    if (value === undefined) return
    if (this.tracing.stable) this.#span.setAttribute(stableName, value)
    if (this.tracing.old) this.#span.setAttribute(oldName, value)
  }

  #attempt(run: () => void): void {
    this.tracing.guard('a client span', undefined, run)
  }
}
