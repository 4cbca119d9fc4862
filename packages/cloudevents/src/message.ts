import { readBinary, writeBinary } from './binary.ts'
import {
  type CloudEvent,
  type EventResult,
  type Fault,
  fault,
  mediaTypeOf,
  type ReadLimits,
} from './event.ts'
import { type HeaderSource, headerValue } from './headers.ts'
import { type BatchResult, readJson, readJsonBatch, writeJson, writeJsonBatch } from './json.ts'
import { readProtobuf, writeProtobuf } from './protobuf.ts'

/** What carries an event: a NATS message, or the head and body of an HTTP request or response. */
export interface EventMessage {
  readonly headers: HeaderSource | undefined
  readonly body: Uint8Array
}

export type Binding = 'nats' | 'http'

/** How an event is carried: in headers, or in a body of one of two formats. */
export type ContentMode = 'binary' | 'json' | 'protobuf'

/** What a message was found to be; `json-batch` holds several events. */
export type DetectedMode = ContentMode | 'json-batch'

/** A message that writeEvent has made. */
export interface WrittenMessage {
  readonly headers: readonly (readonly [string, string])[]
  readonly body: Uint8Array
}

const cloudEventsType = 'application/cloudevents'
const batchType = 'application/cloudevents-batch'

/**
 * What a message is, told by its content type, else by `ce-` headers. On NATS, where an event may come without any
 * header, the first byte of the body decides last: `{` is JSON, anything else protobuf. `not_cloudevent` where nothing
 * speaks for an event, `unsupported_format` for one in a format that this package does not know.
 */
export function detectMode(
  message: EventMessage,
  binding: Binding,
):
  | { readonly mode: DetectedMode; readonly error?: undefined }
  | { readonly mode?: undefined; readonly error: Fault } {
  const mediaType = mediaTypeOf(headerValue(message.headers, 'content-type') ?? '')
  if (mediaType.startsWith(batchType)) {
    const suffix = mediaType.slice(batchType.length)
    if (suffix === '' || suffix === '+json') return { mode: 'json-batch' }
    return fault('unsupported_format', `no reader for ${mediaType.slice(0, 100)}`)
  }
  if (mediaType.startsWith(cloudEventsType)) {
    const suffix = mediaType.slice(cloudEventsType.length)
    if (suffix === '' || suffix === '+json') return { mode: 'json' }
    if (suffix === '+protobuf') return { mode: 'protobuf' }
    return fault('unsupported_format', `no reader for ${mediaType.slice(0, 100)}`)
  }
  if (hasEventHeaders(message.headers)) return { mode: 'binary' }
  const first = binding === 'nats' ? firstByte(message.body) : undefined
  if (first === undefined) return fault('not_cloudevent', 'neither content type nor headers tell of an event')
  return { mode: first === 0x7b ? 'json' : 'protobuf' }
}

function hasEventHeaders(headers: HeaderSource | undefined): boolean {
  return ['ce-specversion', 'ce-id', 'ce-source', 'ce-type'].every((name) =>
    headerValue(headers, name)?.trim(),
  )
}

/** The first that is not white space, as far as JSON has any. */
function firstByte(body: Uint8Array): number | undefined {
  return body.find((byte) => byte !== 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d)
}

/** Reads the event of a message in any of the three modes. Never throws; a batch is read with readBatch. */
export function readEvent(message: EventMessage, binding: Binding, limits: ReadLimits = {}): EventResult {
  const { mode, error } = detectMode(message, binding)
  if (error !== undefined) return { error }
  switch (mode) {
    case 'binary':
      return readBinary(message, limits)
    case 'json':
      return readJson(message.body, limits)
    case 'protobuf':
      return readProtobuf(message.body, limits)
    case 'json-batch':
      return fault('unsupported_format', 'a batch where one event is expected')
  }
}

/** Reads all events of a message: those of a JSON batch, or the one of any other mode. Never throws. */
export function readBatch(message: EventMessage, binding: Binding, limits: ReadLimits = {}): BatchResult {
  if (detectMode(message, binding).mode === 'json-batch') return readJsonBatch(message.body, limits)
  const { event, error } = readEvent(message, binding, limits)
  return error === undefined ? { events: [event] } : { error }
}

/** The message for an event. Throws a CloudEventError for an event that cannot be written. */
export function writeEvent(event: CloudEvent, mode: ContentMode, binding: Binding): WrittenMessage {
  switch (mode) {
    case 'binary':
      return writeBinary(event, binding)
    case 'json':
      return { headers: contentType(`${cloudEventsType}+json`), body: writeJson(event) }
    case 'protobuf':
      return { headers: contentType(`${cloudEventsType}+protobuf`), body: writeProtobuf(event) }
  }
}

/**
 * Several events in one HTTP message, in JSON. Throws a CloudEventError for an event that cannot be written. NATS knows
 * no batches.
 */
export function writeBatch(events: readonly CloudEvent[]): WrittenMessage {
  return { headers: contentType(`${batchType}+json`), body: writeJsonBatch(events) }
}

function contentType(value: string): [string, string][] {
  return [['content-type', value]]
}
