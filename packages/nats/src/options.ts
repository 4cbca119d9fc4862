import type { JsMsg } from '@nats-io/jetstream'
import type { Msg } from '@nats-io/nats-core'
import type { Attributes, MeterProvider, TextMapPropagator, TracerProvider } from '@opentelemetry/api'
import type { EnvelopeCarrier } from './envelope.ts'

/**
 * What an incoming trace context is worth: `continue` takes it; `restart-with-link` starts a new trace that is only linked
 * to it and ignores the sender's baggage, for subjects that strangers can publish to.
 */
export type MessageTrust = 'continue' | 'restart-with-link'

/** What the spans of one connection look like. All optional. */
export interface NatsTracingOptions {
  /** Default: OpenTelemetry's global one. */
  readonly tracerProvider?: TracerProvider
  /** For the metrics of the messaging conventions. Default: OpenTelemetry's global one; without one there are none. */
  readonly meterProvider?: MeterProvider
  /** Default: OpenTelemetry's global one. */
  readonly propagator?: TextMapPropagator
  /**
   * Maps a subject with ids in it to a name with few values, e.g. `orders.4711.paid` to `orders.{id}.paid`. Span names,
   * `messaging.destination.template` and metrics take it. Undefined: the wildcard subject of the subscription, else the
   * subject with `{id}` for each token that looks like one (a number, a UUID, a long hexadecimal number, a nuid).
   */
  readonly destinationTemplate?: (subject: string) => string | undefined
  /**
   * `producer` (default): the consumer's span is a child of the producer's, and linked to it. `link`: it starts a trace of
   * its own that is only linked to the producer's.
   */
  readonly consumerParent?: 'producer' | 'link'
  /** Default: `continue`. A function decides per subject; one that throws has not said that it may be trusted. */
  readonly trust?: MessageTrust | ((subject: string) => MessageTrust)
  /** False: outside of any span only the processing of messages makes one. Default: true, every span may start a trace. */
  readonly rootSpans?: boolean
  /** False: calls of JetStream's API (streams, consumers, stored messages) make no spans. Default: true. */
  readonly apiSpans?: boolean
  /** False: ack, nak, term and working of a JetStream message make no spans of their own. Default: true. */
  readonly settleSpans?: boolean
  /**
   * Decides on the span of each message before it starts: its name, further attributes, or false for none (the message is
   * then handed over as by the untraced client; see processMessage).
   */
  readonly processSpan?: (message: Msg | JsMsg) => ProcessSpanOptions | false | undefined
  /**
   * Carries the context in the envelope of messages too, and reads it there where the headers have no valid one, e.g.
   * `cloudEventEnvelope()` of @throughline/cloudevents. Header and envelope name the same span. Default: none.
   */
  readonly envelope?: EnvelopeCarrier
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

/** What a {@link NatsTracingError} can mean. Match on this, never on the message. */
export type NatsTracingErrorCode = 'invalid_option'

/** The one error that this package throws, and only at set-up: names the option, its value and what is allowed. */
export class NatsTracingError extends Error {
  override readonly name = 'NatsTracingError'
  readonly code: NatsTracingErrorCode

  constructor(code: NatsTracingErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** What each option may be: values, or the methods that its object must have. */
const allowed: {
  readonly [K in keyof Required<NatsTracingOptions>]: {
    readonly values?: readonly unknown[]
    readonly function?: true
    readonly methods?: readonly string[]
    readonly subject?: true
  }
} = {
  tracerProvider: { methods: ['getTracer'] },
  meterProvider: { methods: ['getMeter'] },
  propagator: { methods: ['inject', 'extract', 'fields'] },
  destinationTemplate: { function: true },
  consumerParent: { values: ['producer', 'link'] },
  trust: { values: ['continue', 'restart-with-link'], function: true },
  rootSpans: { values: [true, false] },
  apiSpans: { values: [true, false] },
  settleSpans: { values: [true, false] },
  processSpan: { function: true },
  envelope: { methods: ['inject', 'extract'] },
  brokerTraceDest: { subject: true },
}

/** Throws a NatsTracingError that names the option that there is not. */
export function checkNames(options: object): void {
  for (const option of Object.keys(options)) {
    if (Object.hasOwn(allowed, option)) continue
    const names = Object.keys(allowed).join(', ')
    throw new NatsTracingError('invalid_option', `${option}: no such option; there are: ${names}`)
  }
}

/** Throws a NatsTracingError that names the option, the value and what is allowed. Knows nothing of other options. */
export function checkOptions(options: NatsTracingOptions): void {
  for (const [option, may] of Object.entries(allowed)) {
    // The keys of `allowed` are all options.
    const value: unknown = options[option as keyof NatsTracingOptions]
    if (value === undefined || may.values?.includes(value)) continue
    if (may.function === true && typeof value === 'function') continue
    if (may.subject === true && isSubject(value)) continue
    if (may.methods?.every((name) => hasMethod(value, name))) continue
    throw new NatsTracingError(
      'invalid_option',
      `${option}: got ${textOf(value)}; allowed: ${textOfAllowed(may)}`,
    )
  }
}

/** One that can be published to. */
function isSubject(value: unknown): boolean {
  return typeof value === 'string' && /^[^\s.*>]+(?:\.[^\s.*>]+)*$/.test(value)
}

function hasMethod(value: unknown, name: string): boolean {
  return typeof (value as Record<string, unknown> | null)?.[name] === 'function'
}

function textOfAllowed({
  values = [],
  methods,
  subject,
  function: mayBeFunction,
}: (typeof allowed)['trust']): string {
  const texts = values.map((value) => textOf(value))
  if (mayBeFunction === true) texts.push('a function')
  if (subject === true) texts.push('a subject without wildcards')
  if (methods !== undefined) texts.push(`an object with ${methods.map((name) => `${name}()`).join(', ')}`)
  return texts.join(', ')
}

function textOf(value: unknown): string {
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'a list' : 'an object'
  return typeof value === 'string' ? JSON.stringify(value) : String(value)
}
