import { isPlainUtf16, maxInteger, minInteger } from './values.ts'

/** What an attribute may hold; URIs and timestamps are text. https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md#type-system */
export type AttributeValue = string | number | boolean | Uint8Array

/** An event of CloudEvents 1.0. Reading gives one whose `extensions` have no prototype. */
export interface CloudEvent {
  readonly id: string
  readonly source: string
  readonly type: string
  readonly subject?: string | undefined
  /** RFC 3339, e.g. `2026-04-05T17:31:00Z`. */
  readonly time?: string | undefined
  /** The media type of `data`. Without it, data that is not a Uint8Array is JSON. */
  readonly datacontenttype?: string | undefined
  readonly dataschema?: string | undefined
  /** All other attributes, `traceparent` and `tracestate` among them. */
  readonly extensions?: Readonly<Record<string, AttributeValue>> | undefined
  /**
   * A Uint8Array: bytes. ProtoData: a protobuf message. Anything else: a JSON value, or a text where `datacontenttype` is
   * not JSON. Undefined: none.
   */
  readonly data?: unknown
}

/** `data` of the type google.protobuf.Any. */
export class ProtoData {
  readonly typeUrl: string
  readonly bytes: Uint8Array

  constructor(typeUrl: string, bytes: Uint8Array) {
    this.typeUrl = typeUrl
    this.bytes = bytes
  }
}

/** What can be wrong with what was read, or is to be written. Match on this, never on the text. */
export type FaultCode =
  /** Neither headers nor body say that it is an event. */
  | 'not_cloudevent'
  | 'unsupported_format'
  | 'unsupported_specversion'
  | 'missing_attribute'
  | 'invalid_attribute'
  | 'invalid_data'
  | 'not_json'
  | 'not_protobuf'
  | 'too_large'
  | 'too_deep'
  | 'too_many_attributes'
  | 'too_many_events'

/** Why there is no event. */
export interface Fault {
  readonly code: FaultCode
  readonly text: string
}

/** Thrown by the functions that write, for an event that cannot be written; those that read return the same as a value. */
export class CloudEventError extends Error {
  override readonly name = 'CloudEventError'
  readonly code: FaultCode

  constructor(fault: Fault) {
    super(fault.text)
    this.code = fault.code
  }
}

/** The limits of what is read. All optional. */
export interface ReadLimits {
  /** Of the body, and of all headers together. Default: 1 MiB, as much as a NATS server takes by default. */
  readonly sizeBytesMax?: number | undefined
  /** How deep JSON may be nested. Default: 64. */
  readonly depthMax?: number | undefined
  /** Of one event. Default: 64. */
  readonly attributesMax?: number | undefined
  /** Of one batch. Default: 1,000. */
  readonly eventsMax?: number | undefined
}

export const sizeBytesMaxDefault = 1_048_576
const attributesMaxDefault = 64

export type EventResult =
  | { readonly event: CloudEvent; readonly error?: undefined }
  | { readonly event?: undefined; readonly error: Fault }

export function fault(code: FaultCode, text: string): { readonly error: Fault } {
  return { error: { code, text } }
}

const coreNames = ['id', 'source', 'type', 'subject', 'time', 'datacontenttype', 'dataschema'] as const

/** Builds an event of what a message says. Null and undefined values are absent attributes. */
export function eventFrom(
  attributes: Iterable<readonly [string, unknown]>,
  data: unknown,
  limits: ReadLimits,
): EventResult {
  const core: Partial<Record<(typeof coreNames)[number], string>> = {}
  // Without a prototype no name can mean anything but itself.
  const extensions: Record<string, AttributeValue> = Object.create(null) as Record<string, AttributeValue>
  let specversion: unknown
  let left = limits.attributesMax ?? attributesMaxDefault
  for (const [name, value] of attributes) {
    if (value === undefined || value === null) continue
    if (--left < 0)
      return fault(
        'too_many_attributes',
        `more than ${limits.attributesMax ?? attributesMaxDefault} attributes`,
      )
    if (name === 'specversion') {
      specversion = value
      continue
    }
    const wrong = attributeFault(name, value)
    if (wrong !== undefined) return { error: wrong }
    if (isCoreName(name)) core[name] = value as string
    else extensions[name] = value as AttributeValue
  }
  const { id, source, type } = core
  if (specversion === undefined) return missing('specversion')
  if (specversion !== '1.0')
    return fault('unsupported_specversion', `specversion is ${shown(specversion)}, not "1.0"`)
  if (id === undefined) return missing('id')
  if (source === undefined) return missing('source')
  if (type === undefined) return missing('type')
  return { event: { ...core, id, source, type, extensions, ...(data === undefined ? undefined : { data }) } }
}

/** All attributes that are there, `specversion` first. Throws a CloudEventError for an event that may not be written. */
export function attributesOf(event: CloudEvent): [string, AttributeValue][] {
  const attributes: [string, AttributeValue][] = [['specversion', '1.0']]
  const add = (name: string, value: unknown): void => {
    const wrong = attributeFault(name, value)
    if (wrong !== undefined) throw new CloudEventError(wrong)
    attributes.push([name, value as AttributeValue])
  }
  for (const name of coreNames) {
    const value = event[name]
    if (value !== undefined) add(name, value)
    else if (name === 'id' || name === 'source' || name === 'type') {
      throw new CloudEventError(missing(name).error)
    }
  }
  for (const [name, value] of Object.entries(event.extensions ?? {})) {
    if (isCoreName(name) || name === 'specversion') {
      throw new CloudEventError(invalid(name, 'is no extension'))
    }
    add(name, value)
  }
  return attributes
}

function missing(name: string): { readonly error: Fault } {
  return fault('missing_attribute', `${name} is missing`)
}

function isCoreName(name: string): name is (typeof coreNames)[number] {
  return (coreNames as readonly string[]).includes(name)
}

/**
 * The specification allows lower-case letters and digits; events with `tenant_id` or `schemaVersion` exist and are read,
 * and checkEvent names them. What begins with an underscore (`__proto__`) is refused.
 */
const readableName = /^[a-zA-Z0-9][a-zA-Z0-9_-]{0,99}$/

function attributeFault(name: string, value: unknown): Fault | undefined {
  if (!readableName.test(name) || name === 'data') return invalid(name, 'is no name for an attribute')
  if (typeof value === 'string') {
    if (value === '' && isCoreName(name)) return invalid(name, 'is empty')
    return isPlainUtf16(value) ? undefined : invalid(name, 'has a control character or half a surrogate pair')
  }
  if (isCoreName(name)) return invalid(name, 'is not a text')
  if (typeof value === 'boolean' || value instanceof Uint8Array) return undefined
  if (typeof value === 'number' && Number.isInteger(value) && value >= minInteger && value <= maxInteger) {
    return undefined
  }
  return invalid(name, 'is no text, whole number of 32 bits, boolean or bytes')
}

function invalid(name: string, text: string): Fault {
  return { code: 'invalid_attribute', text: `${shown(name)} ${text}` }
}

/** For messages: short, and without what could spoil a log line. */
function shown(value: unknown): string {
  return JSON.stringify(typeof value === 'string' ? value.slice(0, 60) : typeof value)
}

/** True for the media types of JSON, and where none is given. */
export function isJsonType(datacontenttype: string | undefined): boolean {
  if (datacontenttype === undefined) return true
  const mediaType = mediaTypeOf(datacontenttype)
  return mediaType.endsWith('/json') || mediaType.endsWith('+json')
}

/** True for what is text beyond doubt. */
export function isTextType(datacontenttype: string): boolean {
  const mediaType = mediaTypeOf(datacontenttype)
  return mediaType.startsWith('text/') || mediaType.endsWith('/xml') || mediaType.endsWith('+xml')
}

/** Without parameters, in lower case. */
export function mediaTypeOf(contentType: string): string {
  const end = contentType.indexOf(';')
  return (end < 0 ? contentType : contentType.slice(0, end)).trim().toLowerCase()
}
