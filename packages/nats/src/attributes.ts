import type { Attributes } from '@opentelemetry/api'

// https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/
export const messagingSystem = 'messaging.system'
export const operationName = 'messaging.operation.name'
const operationType = 'messaging.operation.type'
const destinationName = 'messaging.destination.name'
const destinationTemplate = 'messaging.destination.template'
const destinationTemporary = 'messaging.destination.temporary'
export const subscriptionName = 'messaging.destination.subscription.name'
export const consumerGroupName = 'messaging.consumer.group.name'
export const messageId = 'messaging.message.id'
export const bodySize = 'messaging.message.body.size'
export const serverAddress = 'server.address'
export const serverPort = 'server.port'
export const errorType = 'error.type'

// The conventions have no page for NATS; these follow their scheme for other systems (messaging.kafka.offset, ...).
export const natsStream = 'messaging.nats.stream'
export const natsSequence = 'messaging.nats.stream_sequence'
export const natsDeliveryCount = 'messaging.nats.delivery_count'
export const natsDuplicate = 'messaging.nats.duplicate'
export const natsPublishAttempts = 'messaging.nats.publish_attempts'
export const natsSettlement = 'messaging.nats.settlement'
export const natsNakDelayMs = 'messaging.nats.nak_delay_ms'
export const natsTermReason = 'messaging.nats.term_reason'
export const batchMessageCount = 'messaging.batch.message_count'

export const kvBucket = 'nats.kv.bucket'
export const kvKey = 'nats.kv.key'
export const kvOperation = 'nats.kv.operation'
export const kvRevision = 'nats.kv.revision'

export const objectBucket = 'nats.objectstore.bucket'
export const objectName = 'nats.objectstore.object'
export const objectOperation = 'nats.objectstore.operation'
export const objectSize = 'nats.objectstore.size'
export const objectChunks = 'nats.objectstore.chunks'

/** Texts of other people's making have no limit of their own. */
const textCharsMax = 256

export function bounded(text: string): string {
  return text.length <= textCharsMax ? text : text.slice(0, textCharsMax)
}

/** Where a message goes, with a template that has few values for the names of spans. */
export interface Destination {
  readonly name: string
  readonly template: string
  readonly temporary: boolean
}

export interface DestinationMapper {
  readonly inboxPrefix: string
  /** The user's. */
  readonly template: ((subject: string) => string | undefined) | undefined
}

/** Subjects may be 4 KiB long, and a stranger may choose them. */
const templateCharsMax = 256

/**
 * The template is the user's mapper's answer; without one, subjects that the client and the server make up (inboxes, acks,
 * API calls, KV keys) are cut to their fixed part, a message has the wildcard subject of its subscription, and tokens
 * that look like ids become `{id}`.
 */
export function destinationOf(subject: string, mapper: DestinationMapper, pattern?: string): Destination {
  if (isInbox(subject, mapper)) {
    // An inbox is made for one reply: even as an attribute its full name says nothing.
    const name = `${mapper.inboxPrefix}.*`
    return { name, template: name, temporary: true }
  }
  const template =
    callMapper(mapper.template, subject) ??
    systemTemplate(subject) ??
    wildcardOf(pattern) ??
    idTemplate(subject)
  return {
    name: subject.startsWith('$JS.ACK.') ? template : subject,
    template: template.length > templateCharsMax ? `${template.slice(0, templateCharsMax - 1)}…` : template,
    temporary: false,
  }
}

export function isInbox(subject: string, { inboxPrefix }: DestinationMapper): boolean {
  return subject.startsWith(inboxPrefix) && subject[inboxPrefix.length] === '.'
}

function wildcardOf(pattern: string | undefined): string | undefined {
  return pattern !== undefined && isWildcard(pattern) ? pattern : undefined
}

export function isWildcard(subject: string): boolean {
  return subject.includes('*') || subject.endsWith('>')
}

/** What every messaging span begins with. */
export function messagingAttributes(
  destination: Destination,
  operation: { readonly name: string; readonly type: string },
): Attributes {
  const attributes: Attributes = {
    [messagingSystem]: 'nats',
    [destinationName]: destination.name,
    [operationName]: operation.name,
    [operationType]: operation.type,
  }
  if (destination.template !== destination.name) attributes[destinationTemplate] = destination.template
  if (destination.temporary) attributes[destinationTemporary] = true
  return attributes
}

/** The same for metrics: nothing that has many values. */
export function metricAttributes(
  destination: Destination,
  operation: { readonly name: string; readonly type: string },
): Attributes {
  return {
    [messagingSystem]: 'nats',
    [destination.template === destination.name ? destinationName : destinationTemplate]: destination.template,
    [operationName]: operation.name,
    [operationType]: operation.type,
  }
}

function callMapper(
  mapper: ((subject: string) => string | undefined) | undefined,
  subject: string,
): string | undefined {
  try {
    return mapper?.(subject)
  } catch {
    return undefined
  }
}

/** How many tokens of a subject of the system are fixed. */
const fixedTokens: Readonly<Record<string, number>> = { $JS: 2, $KV: 2, $O: 2, $SRV: 2, $SYS: 2 }

function systemTemplate(subject: string): string | undefined {
  if (!subject.startsWith('$')) return undefined
  const tokens = subject.split('.')
  const fixed = fixedTokens[tokens[0] ?? '']
  if (fixed === undefined || tokens.length <= fixed) return undefined
  return `${tokens.slice(0, fixed).join('.')}.*`
}

const uuid = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/i
const longHex = /^[\da-f]{16,}$/i
/** A nuid (22 characters), a ULID (26), a KSUID (27): letters and digits without a sign between them. */
const longRandom = /^[\dA-Za-z]{20,}$/

function idTemplate(subject: string): string {
  // Each id has a digit in it.
  if (!/\d/.test(subject)) return subject
  return subject
    .split('.')
    .map((token) => (isId(token) ? '{id}' : token))
    .join('.')
}

function isId(token: string): boolean {
  if (!/\d/.test(token)) return false
  return /^\d+$/.test(token) || uuid.test(token) || longHex.test(token) || longRandom.test(token)
}

/** What the client's own traffic is to us, told by the subject. */
export type SubjectRole =
  /** Somebody's message. */
  | 'message'
  /** The write of a KV or object store: it carries the writer's context, but is no span of its own. */
  | 'store'
  /** A call of JetStream's API. */
  | 'api'
  /** Acks, flow control, the chunks of an object, the discovery of services: none of the tracer's business. */
  | 'internal'

const dollar = 36

export function roleOf(subject: unknown): SubjectRole {
  // What is no subject gets the client's own answer.
  if (typeof subject !== 'string' || subject === '') return 'internal'
  if (subject.charCodeAt(0) !== dollar) return 'message'
  if (subject.startsWith('$SRV.')) return 'internal'
  if (!subject.startsWith('$JS.')) return storeRole(subject, 0) ?? 'message'
  const start = apiStart(subject)
  // With a JetStream domain the API prefix stands before the store's subject.
  return start < 0 ? 'internal' : (storeRole(subject, start) ?? 'api')
}

function storeRole(subject: string, start: number): SubjectRole | undefined {
  if (subject.startsWith('$KV.', start)) return 'store'
  if (!subject.startsWith('$O.', start)) return undefined
  return subject.startsWith('.C.', subject.indexOf('.', start + 3)) ? 'internal' : 'store'
}

const apiPrefix = '$JS.API.'
/** `$JS.hub.API.`: the API of another JetStream domain. */
const domainApi = /^\$JS\.(?!ACK\.|FC\.|EVENT\.)[^.]+\.API\./

/** Where in a subject of JetStream's API its operation stands; -1 where there is none. */
export function apiStart(subject: string): number {
  if (subject.startsWith(apiPrefix)) return apiPrefix.length
  return domainApi.exec(subject)?.[0].length ?? -1
}
