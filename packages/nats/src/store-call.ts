import type { NatsConnection } from '@nats-io/nats-core'
import { type Attributes, context, type Span, type SpanContext, SpanKind, trace } from '@opentelemetry/api'
import { tracingOf } from './connections.ts'
import type { NatsTracingOptions } from './options.ts'
import { quietly } from './quiet.ts'
import { endSpan, endSpanWithError, NatsTracing } from './tracing.ts'

/** An operation of a KV bucket or an object store. */
export interface StoreCall<R> {
  readonly tracing: NatsTracing
  readonly name: string
  readonly attributes: Attributes
  readonly call: () => Promise<R>
  /** Links those who wrote what the client reads in it, where the connection is traced. */
  readonly linksWriters?: boolean
  /** Notes on the span what the result says. When it returns true, it ends the span itself. */
  readonly done?: ((result: R, span: Span) => void | true) | undefined
}

/** An object has one writer, and a link to another object one more. */
const linksMax = 8

/** One CLIENT span of the caller's own trace, whatever the client sends for it. */
export function traceStoreCall<R>(operation: StoreCall<R>): Promise<R> {
  const { tracing, name, attributes, call, done } = operation
  const active = context.active()
  if (!tracing.isOn || !tracing.mayStartIn(active)) return quietly(active, call)
  const { tracer } = tracing
  const span = tracer.startSpan(
    name,
    { kind: SpanKind.CLIENT, attributes: tracing.addServer(attributes) },
    active,
  )
  let result: Promise<R>
  try {
    result = quietly(
      trace.setSpan(active, span),
      call,
      operation.linksWriters ? { onWriter: linker(span) } : {},
    )
  } catch (error) {
    // Some methods throw where the others reject.
    endSpanWithError(span, error)
    throw error
  }
  return result.then(
    (value) => {
      if (done?.(value, span) !== true) endSpan(span)
      return value
    },
    (error: unknown) => {
      endSpanWithError(span, error)
      throw error
    },
  )
}

function linker(span: Span): (writer: SpanContext) => void {
  let links = 0
  return (writer) => {
    links++
    if (links <= linksMax) span.addLink({ context: writer })
  }
}

/** The JetStream client behind a store, whose type does not show its connection. */
export interface StoreClient {
  readonly nc?: NatsConnection
}

/** The tracing of the store's connection, unless there are options of its own. */
export function storeTracing(
  client: StoreClient | undefined,
  options: NatsTracingOptions | undefined,
): NatsTracing {
  const inherited = options === undefined ? tracingOf(client?.nc) : undefined
  return inherited ?? new NatsTracing(options ?? {}, client?.nc)
}
