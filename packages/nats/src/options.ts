import type { JsMsg } from '@nats-io/jetstream'
import type { Msg } from '@nats-io/nats-core'
import type { Attributes, TextMapPropagator, TracerProvider } from '@opentelemetry/api'

/** What the spans of one connection look like. All optional. */
export interface NatsTracingOptions {
  /** Default: OpenTelemetry's global one. */
  readonly tracerProvider?: TracerProvider
  /** Default: OpenTelemetry's global one. */
  readonly propagator?: TextMapPropagator
  /**
   * Maps a subject with ids in it to a name with few values, e.g. `orders.4711.paid` to `orders.{id}.paid`. Undefined
   * leaves the subject as it is. Span names and `messaging.destination.template` take it.
   */
  readonly destinationTemplate?: (subject: string) => string | undefined
  /**
   * `producer` (default): the consumer's span is a child of the producer's, and linked to it. `link`: it starts a trace of
   * its own that is only linked to the producer's.
   */
  readonly consumerParent?: 'producer' | 'link'
  /** False: publishing and requesting outside of any span makes no span. Default: true, the span starts a trace. */
  readonly rootSpans?: boolean
  /**
   * Decides on the span of each message before it starts: its name, further attributes, or false for none (the message is
   * then handed over as by the untraced client; see processMessage).
   */
  readonly processSpan?: (message: Msg | JsMsg) => ProcessSpanOptions | false | undefined
  /**
   * Asks servers from 2.11 on to report each sampled message to this subject (`Nats-Trace-Dest`), for traceBrokerHops. The
   * user must be allowed to publish there, since the servers refuse the message otherwise. Not needed where the account
   * has `msg_trace`. Default: none.
   */
  readonly brokerTraceDest?: string
}

/** How the CONSUMER span of a message differs from the usual one. */
export interface ProcessSpanOptions {
  /** Default: `process <destination>`. */
  readonly name?: string
  /** Added to those of the messaging conventions, and before them where keys meet. */
  readonly attributes?: Attributes
}
