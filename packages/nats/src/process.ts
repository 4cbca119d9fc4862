import type { JsMsg } from '@nats-io/jetstream'
import type { Msg } from '@nats-io/nats-core'
import {
  type Attributes,
  type Context,
  context,
  INVALID_SPAN_CONTEXT,
  propagation,
  type Span,
  SpanKind,
  trace,
} from '@opentelemetry/api'
import * as keys from './attributes.ts'
import { extractFromHeaders, spanContextOf } from './carrier.ts'
import type { ProcessSpanOptions } from './options.ts'
import { NatsTracing, recordError } from './tracing.ts'

/** A message of the core client, or of JetStream. */
export type Message = Msg | JsMsg

/** The processing of one message: its span, and the context in which its handler runs. */
export class Processing {
  readonly span: Span
  readonly context: Context
  #ended = false
  #claimed = false

  constructor(span: Span, within: Context) {
    this.span = span
    this.context = within
  }

  get ended(): boolean {
    return this.#ended
  }

  /** From now on only end() ends it: whoever claims it knows better than the loop when the work is done. */
  claim(): void {
    this.#claimed = true
  }

  /** The loop or callback is done with the message. */
  leave(failure?: Failure): void {
    if (!this.#claimed) this.end(failure)
  }

  end(failure?: Failure): void {
    if (this.#ended) return
    this.#ended = true
    if (failure !== undefined) recordError(this.span, failure.error)
    this.span.end()
  }
}

interface Failure {
  readonly error: unknown
}

/** What a traced connection knows of a message that it has handed over. */
interface Handover {
  readonly tracing: NatsTracing
  readonly processing: Processing | undefined
}

const handovers = new WeakMap<object, Handover>()
const defaultTracing = new NatsTracing({})

/**
 * Starts the span of a message that is handed to its consumer, unless the options want none. Values of `base` stay, save
 * its span and baggage: the message brings its own, or starts a trace.
 */
export function handOver(
  tracing: NatsTracing,
  message: Message,
  received: { readonly base: Context; readonly group?: string | undefined },
): Processing | undefined {
  if (!tracing.isOn) return passOn(tracing, message, received.base)
  const wanted = wantedSpan(tracing, message)
  if (wanted === false) {
    noteHandOver(tracing, message)
    return undefined
  }
  const processing = startProcessing(tracing, message, {
    base: received.base,
    name: wanted?.name,
    attributes: wanted?.attributes,
    group: received.group,
  })
  handovers.set(message, { tracing, processing })
  return processing
}

/** Without a tracer, what the message's handler sends on still carries the context that the message brought. */
function passOn(tracing: NatsTracing, message: Message, base: Context): Processing | undefined {
  if (message.headers === undefined) return undefined
  const carried = extractFromHeaders(message.headers, base, tracing.propagator)
  return carried === base ? undefined : new Processing(noSpan, carried)
}

/** A message without a span so far: processMessage starts it, with the options of the message's connection. */
export function noteHandOver(tracing: NatsTracing, message: Message): void {
  handovers.set(message, { tracing, processing: undefined })
}

/** The context that a message brought, or in which it is processed. */
export function contextOfMessage(message: Message): Context {
  const handover = handovers.get(message)
  return handover?.processing?.context ?? extractFromMessage(message)
}

/**
 * The context that a message carries, on top of `base` (default: an empty one). For those who start their own span; most
 * want processMessage.
 */
export function extractFromMessage(message: Message, base?: Context): Context {
  return extractFromHeaders(message.headers, base, handovers.get(message)?.tracing.propagator)
}

/**
 * Runs `handler` inside the CONSUMER span of `message`, which ends when the promise that it returns settles, or when it
 * returns; what it throws is recorded and thrown on. A message that a traced subscription has handed over has its span
 * already: that one gets the name and the attributes, there are never two. For messages of `consumer.next()`, of untraced
 * connections, and where `processSpan` answered false, it starts the span.
 */
export function processMessage<T>(
  message: Message,
  options: ProcessSpanOptions,
  handler: (span: Span) => T,
): T {
  const handover = handovers.get(message)
  let processing = handover?.processing
  if (processing === undefined || processing.ended) {
    processing = startProcessing(handover?.tracing ?? defaultTracing, message, {
      base: context.active(),
      name: options.name,
      attributes: options.attributes,
    })
    if (handover !== undefined) handovers.set(message, { tracing: handover.tracing, processing })
  } else {
    if (options.name !== undefined) processing.span.updateName(options.name)
    if (options.attributes !== undefined) processing.span.setAttributes(options.attributes)
  }
  const claimed = processing
  claimed.claim()
  return runInside(
    claimed.context,
    () => handler(claimed.span),
    (failure) => claimed.end(failure),
  )
}

/** Runs the callback of a subscription in the message's context; the span ends with it, unless it is claimed. */
export function runProcessing<T>(processing: Processing, handler: () => T): T {
  return runInside(processing.context, handler, (failure) => processing.leave(failure))
}

function runInside<T>(within: Context, handler: () => T, done: (failure?: Failure) => void): T {
  let result: T
  try {
    result = context.with(within, handler)
  } catch (error) {
    done({ error })
    throw error
  }
  if (!isPromise(result)) {
    done()
    return result
  }
  const settled = result.then(
    (value) => {
      done()
      return value
    },
    (error: unknown) => {
      done({ error })
      throw error
    },
  )
  // The handler's promise type is kept: the derived promise settles as the handler's does.
  return settled as T
}

interface StartOptions {
  readonly base: Context
  readonly name: string | undefined
  readonly attributes: Attributes | undefined
  readonly group?: string | undefined
}

function startProcessing(tracing: NatsTracing, message: Message, options: StartOptions): Processing {
  const base = propagation.deleteBaggage(trace.deleteSpan(options.base))
  const carried = extractFromHeaders(message.headers, base, tracing.propagator)
  if (!tracing.isOn) return new Processing(noSpan, carried)
  const producer = spanContextOf(carried)
  const parent = tracing.options.consumerParent === 'link' ? trace.deleteSpan(carried) : carried
  const destination = tracing.destination(message.subject)
  const attributes = keys.messagingAttributes(destination, processOperation)
  attributes[keys.bodySize] = message.data.length
  if (options.group !== undefined) attributes[keys.consumerGroupName] = options.group
  addMessageId(message, attributes)
  addDelivery(message, attributes)
  tracing.addServer(attributes)
  if (options.attributes !== undefined) Object.assign(attributes, options.attributes)
  const span = tracing.tracer.startSpan(
    options.name ?? `process ${destination.template}`,
    {
      kind: SpanKind.CONSUMER,
      attributes,
      ...(producer === undefined ? undefined : { links: [{ context: producer }] }),
    },
    parent,
  )
  return new Processing(span, trace.setSpan(carried, span))
}

const processOperation = { name: 'process', type: 'process' }
const noSpan = trace.wrapSpanContext(INVALID_SPAN_CONTEXT)

function addMessageId(message: Message, attributes: Attributes): void {
  const id = message.headers?.get('Nats-Msg-Id')
  if (id) attributes[keys.messageId] = id
}

/** What JetStream says of the delivery, for its messages. */
export function addDelivery(message: Message, attributes: Attributes): void {
  if (!('info' in message)) return
  try {
    const { info } = message
    attributes[keys.natsStream] = info.stream
    attributes[keys.subscriptionName] = info.consumer
    attributes[keys.natsSequence] = info.streamSequence
    attributes[keys.natsDeliveryCount] = info.deliveryCount
  } catch {
    // Made by toJsMsg() from a message that JetStream did not deliver.
  }
}

function wantedSpan(tracing: NatsTracing, message: Message): ProcessSpanOptions | false | undefined {
  try {
    return tracing.options.processSpan?.(message)
  } catch {
    return undefined
  }
}

function isPromise(value: unknown): value is Promise<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function'
}
