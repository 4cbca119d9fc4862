import type { JsMsg } from '@nats-io/jetstream'
import type { Msg } from '@nats-io/nats-core'
import type { Attributes } from '@opentelemetry/api'
import * as keys from './attributes.ts'
import type { Processing } from './process.ts'
import type { NatsTracing } from './tracing.ts'

/** A message of the core client, or of JetStream. */
export type Message = Msg | JsMsg

/** What a traced connection knows of a message that it has handed over. */
export interface Handover {
  readonly tracing: NatsTracing
  readonly processing: Processing | undefined
}

/** A constructor that answers with the object that it is given: a class below it adds its private fields to that. */
const Given = function (object: object): object {
  return object
} as unknown as new (
  object: object,
) => object

/**
 * Notes a handover in the message itself, where nobody sees it: no property, no key, no copy of it. A WeakMap of messages
 * costs a microsecond for each, most of it in the garbage collector.
 */
class Noted extends Given {
  #handover: Handover

  constructor(message: object, handover: Handover) {
    super(message)
    this.#handover = handover
  }

  static note(message: object, handover: Handover): object {
    return new Noted(message, handover)
  }

  static get(message: object): Handover | undefined {
    return #handover in message ? message.#handover : undefined
  }

  /** False for a message without one. */
  static replace(message: object, handover: Handover): boolean {
    if (!(#handover in message)) return false
    message.#handover = handover
    return true
  }
}

export function handoverOf(message: object): Handover | undefined {
  return Noted.get(message)
}

export function setHandover(message: Message, handover: Handover): void {
  if (!Noted.replace(message, handover)) Noted.note(message, handover)
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
