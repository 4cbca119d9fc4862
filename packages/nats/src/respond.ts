import type { Msg, PublishOptions, RequestOptions } from '@nats-io/nats-core'
import { SpanKind } from '@opentelemetry/api'
import * as keys from './attributes.ts'
import { contextOfMessage, processingOf } from './process.ts'
import type { NatsTracing } from './tracing.ts'

/**
 * Makes the message's own respond() a PRODUCER span below the message's. `handed` is what the user gets of it, where that
 * is another object.
 */
export function traceRespond(tracing: NatsTracing, message: Msg, handed: Msg = message): void {
  if (!message.reply || keys.roleOf(message.reply) !== 'message') return
  const untraced = message.respond.bind(message)
  message.respond = (payload, options) => {
    noteServiceError(handed, options)
    const sending = tracing.startSend({
      kind: SpanKind.PRODUCER,
      operation: 'publish',
      subject: message.reply ?? '',
      payload,
      headers: options?.headers,
      fallback: contextOfMessage(handed),
    })
    try {
      return untraced(sending.payload, withHeaders(options, sending.headers))
    } catch (error) {
      sending.end({ error })
      throw error
    } finally {
      sending.end()
    }
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
