import type { Msg, PublishOptions, RequestOptions } from '@nats-io/nats-core'
import { SpanKind } from '@opentelemetry/api'
import * as keys from './attributes.ts'
import { type Handover, handoverOf } from './handover.ts'
import { contextOfMessage, processingOf } from './process.ts'

const prototypes = new WeakSet<object>()
let lastPrototype: object | undefined

/**
 * Makes respond() of messages that are handed over a PRODUCER span below the message's. The client's class is hooked at
 * its first message; it does so for messages that are handed over only.
 */
export function traceRespond(message: Msg): void {
  const prototype: object = Object.getPrototypeOf(message)
  if (prototype === lastPrototype) return
  lastPrototype = prototype
  if (prototypes.has(prototype)) return
  prototypes.add(prototype)
  const descriptor = Object.getOwnPropertyDescriptor(prototype, 'respond')
  if (typeof descriptor?.value !== 'function' || descriptor.writable !== true) return
  // What the client's class declares.
  const untraced = descriptor.value as Respond
  const replacement: Respond = function (payload, options) {
    const handover = handoverOf(this)
    if (handover === undefined || !this.reply || keys.roleOf(this.reply) !== 'message') {
      return untraced.call(this, payload, options)
    }
    return respond(handover, { message: this, untraced, payload, options })
  }
  Object.defineProperty(replacement, 'name', { value: untraced.name })
  Object.defineProperty(replacement, 'length', { value: untraced.length })
  Object.defineProperty(prototype, 'respond', { ...descriptor, value: replacement })
}

type Respond = (this: Msg, ...args: Parameters<Msg['respond']>) => boolean

interface Response {
  readonly message: Msg
  readonly untraced: Respond
  readonly payload: Parameters<Msg['respond']>[0]
  readonly options: Parameters<Msg['respond']>[1]
}

function respond({ tracing }: Handover, { message, untraced, payload, options }: Response): boolean {
  noteServiceError(message, options)
  const sending = tracing.startSend({
    kind: SpanKind.PRODUCER,
    operation: 'publish',
    subject: message.reply ?? '',
    payload,
    headers: options?.headers,
    fallback: contextOfMessage(message),
  })
  try {
    return untraced.call(message, sending.payload, withHeaders(options, sending.headers))
  } catch (error) {
    sending.end({ error })
    throw error
  } finally {
    sending.end()
  }
}

/** The services framework tells the failure of a request in the headers of its answer. */
function noteServiceError(message: Msg, options: PublishOptions | undefined): void {
  const code = options?.headers?.get('Nats-Service-Error-Code')
  if (code) processingOf(message)?.fail(code, options?.headers?.get('Nats-Service-Error') ?? '')
}

/** The user's options object stays untouched; without headers of ours it is handed on as it is. */
export function withHeaders<O extends PublishOptions | RequestOptions>(
  options: O | undefined,
  headers: PublishOptions['headers'],
): O | undefined {
  if (headers === undefined || headers === options?.headers) return options
  // The client fills in its defaults for what is missing, as for absent options.
  return { ...options, headers } as O
}
