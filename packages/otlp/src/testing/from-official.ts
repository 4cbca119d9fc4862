import type {
  DecodedKeyValue,
  DecodedLogRecord,
  DecodedScope,
  DecodedSpan,
  DecodedValue,
  TracesData,
} from '../model.ts'

// protobufjs's plain objects as our decoded shapes, so that both sides of a comparison are of one form.

interface OfficialTraces {
  resourceSpans: {
    resource: { attributes: OfficialPair[]; droppedAttributesCount: number } | null
    schemaUrl: string
    scopeSpans: {
      scope: (Omit<DecodedScope, 'attributes'> & { attributes: OfficialPair[] }) | null
      schemaUrl: string
      spans: OfficialSpan[]
    }[]
  }[]
}

interface OfficialPair {
  key: string
  value: OfficialValue | null
}

interface OfficialValue {
  value?: string
  stringValue: string
  boolValue: boolean
  intValue: string
  doubleValue: number
  bytesValue: string
  arrayValue: { values: OfficialValue[] }
  kvlistValue: { values: OfficialPair[] }
}

type OfficialSpan = Omit<
  DecodedSpan,
  'startTimeUnixNano' | 'endTimeUnixNano' | 'attributes' | 'events' | 'links' | 'status'
> & {
  startTimeUnixNano: string
  endTimeUnixNano: string
  attributes: OfficialPair[]
  events: { timeUnixNano: string; name: string; attributes: OfficialPair[]; droppedAttributesCount: number }[]
  links: (Omit<DecodedSpan['links'][number], 'attributes'> & { attributes: OfficialPair[] })[]
  status: DecodedSpan['status'] | null
}

type OfficialLogRecord = Omit<
  DecodedLogRecord,
  'timeUnixNano' | 'observedTimeUnixNano' | 'body' | 'attributes'
> & {
  timeUnixNano: string
  observedTimeUnixNano: string
  body: OfficialValue | null
  attributes: OfficialPair[]
}

/** The records of a request, whatever their resource and scope. */
export function logRecordsFromOfficial(decoded: unknown): DecodedLogRecord[] {
  const { resourceLogs } = decoded as {
    resourceLogs: { scopeLogs: { logRecords: OfficialLogRecord[] }[] }[]
  }
  return resourceLogs.flatMap(({ scopeLogs }) =>
    scopeLogs.flatMap(({ logRecords }) =>
      logRecords.map((record) => ({
        ...record,
        timeUnixNano: BigInt(record.timeUnixNano),
        observedTimeUnixNano: BigInt(record.observedTimeUnixNano),
        body: value(record.body),
        attributes: attributes(record.attributes),
      })),
    ),
  )
}

export function tracesFromOfficial(decoded: unknown): TracesData {
  const { resourceSpans } = decoded as OfficialTraces
  return {
    resourceSpans: resourceSpans.map(({ resource, schemaUrl, scopeSpans }) => ({
      resource: {
        attributes: attributes(resource?.attributes ?? []),
        droppedAttributesCount: resource?.droppedAttributesCount ?? 0,
      },
      schemaUrl,
      scopeSpans: scopeSpans.map(({ scope, schemaUrl, spans }) => ({
        scope: {
          name: scope?.name ?? '',
          version: scope?.version ?? '',
          attributes: attributes(scope?.attributes ?? []),
          droppedAttributesCount: scope?.droppedAttributesCount ?? 0,
        },
        schemaUrl,
        spans: spans.map(span),
      })),
    })),
  }
}

function span(official: OfficialSpan): DecodedSpan {
  return {
    ...official,
    startTimeUnixNano: BigInt(official.startTimeUnixNano),
    endTimeUnixNano: BigInt(official.endTimeUnixNano),
    attributes: attributes(official.attributes),
    events: official.events.map((event) => ({
      ...event,
      timeUnixNano: BigInt(event.timeUnixNano),
      attributes: attributes(event.attributes),
    })),
    links: official.links.map((link) => ({ ...link, attributes: attributes(link.attributes) })),
    status: official.status ?? { code: 0, message: '' },
  }
}

export function attributes(pairs: readonly OfficialPair[]): DecodedKeyValue[] {
  return pairs.map((pair) => ({ key: pair.key, value: value(pair.value) }))
}

export function value(any: OfficialValue | null): DecodedValue {
  switch (any?.value) {
    case 'stringValue':
      return any.stringValue
    case 'boolValue':
      return any.boolValue
    case 'intValue':
      return Number.isSafeInteger(Number(any.intValue)) ? Number(any.intValue) : BigInt(any.intValue)
    case 'doubleValue':
      return any.doubleValue
    case 'bytesValue':
      return Uint8Array.from(Buffer.from(any.bytesValue, 'hex'))
    case 'arrayValue':
      return any.arrayValue.values.map(value)
    case 'kvlistValue':
      return { entries: attributes(any.kvlistValue.values) }
    default:
      return null
  }
}
