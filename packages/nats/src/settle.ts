import type { JsMsg } from '@nats-io/jetstream'
import {
  type Attributes,
  type Context,
  context,
  type Span,
  type SpanContext,
  SpanKind,
  TraceFlags,
} from '@opentelemetry/api'
import * as keys from './attributes.ts'
import { extractFromHeaders, headersOf, spanContextOf } from './carrier.ts'
import { addDelivery, type Handover, handoverOf } from './handover.ts'
import { endSpan, endSpanWithError } from './tracing.ts'

type Settlement = 'ack' | 'nak' | 'term' | 'working' | 'ackAck'

/** What the message's own span says of it. `working` only asks for more time. */
const outcomes: Readonly<Record<Settlement, string | undefined>> = {
  ack: 'ack',
  ackAck: 'ack',
  nak: 'nak',
  term: 'term',
  working: undefined,
}

const prototypes = new WeakSet<object>()
let lastPrototype: object | undefined

/**
 * Makes the settling of a JetStream message a CLIENT span, and tells the message's own span how it went. The client's class
 * is hooked at its first message that a traced connection hands over; it does so for such messages only.
 */
export function traceSettling(message: object): void {
  const prototype: object = Object.getPrototypeOf(message)
  if (prototype === lastPrototype) return
  lastPrototype = prototype
  if (prototypes.has(prototype)) return
  prototypes.add(prototype)
  if (typeof (prototype as Partial<JsMsg>).ackAck !== 'function') return
  hookAtOnce(prototype, 'ack')
  hookAtOnce(prototype, 'nak', (delayMs) =>
    typeof delayMs === 'number' && delayMs > 0 ? { [keys.natsNakDelayMs]: delayMs } : undefined,
  )
  hookAtOnce(prototype, 'term', (reason) =>
    typeof reason === 'string' && reason !== '' ? { [keys.natsTermReason]: keys.bounded(reason) } : undefined,
  )
  hookAtOnce(prototype, 'working')
  hookConfirmed(prototype)
}

type Detail = (argument: unknown) => Attributes | undefined

/** A settlement that the client sends and forgets. */
function hookAtOnce(prototype: object, name: Settlement, detail?: Detail): void {
  hook(prototype, name, (message, untraced, args) => {
    const span = startSettling(message, name, detail?.(args[0]))
    let result: unknown
    try {
      result = untraced.apply(message, args)
    } catch (error) {
      endSpanWithError(span, error)
      throw error
    }
    endSpan(span)
    return result
  })
}

/** The settlement that waits until the server has confirmed it. */
function hookConfirmed(prototype: object): void {
  hook(prototype, 'ackAck', (message, untraced, args) => {
    const span = startSettling(message, 'ackAck')
    const confirmed = untraced.apply(message, args) as Promise<boolean>
    if (span === undefined) return confirmed
    return confirmed.then(
      (value) => {
        endSpan(span)
        return value
      },
      (error: unknown) => {
        endSpanWithError(span, error)
        throw error
      },
    )
  })
}

type Method = (this: JsMsg, ...args: unknown[]) => unknown

function hook(
  prototype: object,
  name: Settlement,
  traced: (message: JsMsg, untraced: Method, args: unknown[]) => unknown,
): void {
  const descriptor = Object.getOwnPropertyDescriptor(prototype, name)
  const original: unknown = descriptor?.value
  if (descriptor === undefined || typeof original !== 'function' || descriptor.writable !== true) return
  // What the client's class declares.
  const untraced = original as Method
  const replacement: Method = function (...args) {
    return handoverOf(this) === undefined ? untraced.apply(this, args) : traced(this, untraced, args)
  }
  Object.defineProperty(replacement, 'name', { value: untraced.name })
  Object.defineProperty(replacement, 'length', { value: untraced.length })
  Object.defineProperty(prototype, name, { ...descriptor, value: replacement })
}

function startSettling(message: JsMsg, name: Settlement, detail?: Attributes): Span | undefined {
  const handover = handoverOf(message)
  // The client settles a message once, and ignores what comes after it.
  if (handover === undefined || (message as { didAck?: boolean }).didAck === true) return undefined
  const { tracing, processing } = handover
  const outcome = outcomes[name]
  if (outcome !== undefined && processing?.ended === false) {
    processing.span.setAttribute(keys.natsSettlement, outcome)
  }
  if (!tracing.isOn || tracing.options.settleSpans === false) return undefined
  const parent = parentOf(message, handover)
  const around = spanContextOf(parent)
  if (around === undefined ? tracing.options.rootSpans === false : !isSampled(around)) return undefined
  const destination = tracing.destination(message.subject)
  const attributes = keys.messagingAttributes(destination, { name, type: 'settle' })
  addDelivery(message, attributes)
  tracing.addServer(attributes)
  if (detail !== undefined) Object.assign(attributes, detail)
  const writer = processing === undefined ? writerOf(message, handover) : processing.producer
  const links = writer === undefined ? [] : [{ context: writer }]
  return tracing.tracer.startSpan(
    `${name} ${destination.template}`,
    { kind: SpanKind.CLIENT, attributes, links },
    parent,
  )
}

/** The active span, else that of the message. */
function parentOf(message: JsMsg, { tracing, processing }: Handover): Context {
  const active = context.active()
  if (spanContextOf(active) !== undefined) return active
  if (processing !== undefined) return processing.context
  if (tracing.options.consumerParent === 'link' || !tracing.trusts(message.subject)) return active
  return extractFromHeaders(headersOf(message), active, tracing.propagator)
}

function writerOf(message: JsMsg, { tracing }: Handover): SpanContext | undefined {
  return spanContextOf(extractFromHeaders(headersOf(message), undefined, tracing.propagator))
}

function isSampled({ traceFlags }: SpanContext): boolean {
  return (traceFlags & TraceFlags.SAMPLED) !== 0
}
