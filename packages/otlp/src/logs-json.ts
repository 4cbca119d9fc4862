import { attempt, type Decoded, type DecodeLimits } from './decode.ts'
import { type JsonReader, jsonReader } from './json-reader.ts'
import { attributesJson, type Json, orAbsent, resourceJson, scopeJson, valueJson } from './json-writer.ts'
import type { DecodedLogRecord, DecodedResourceLogs, DecodedScopeLogs, LogsData } from './model.ts'

/** Decodes OTLP/JSON logs, from text or from an object that JSON.parse made. Never throws. */
export function decodeLogsJson(input: unknown, limits: DecodeLimits = {}): Decoded<LogsData> {
  return attempt(() => ({ resourceLogs: jsonReader(input, limits).list('resourceLogs', readResourceLogs) }))
}

/** OTLP/JSON text. */
export function encodeLogsJson(data: LogsData): string {
  return JSON.stringify({ resourceLogs: data.resourceLogs.map(resourceLogsJson) })
}

function readResourceLogs(reader: JsonReader): DecodedResourceLogs {
  return {
    resource: reader.resource(),
    schemaUrl: reader.string('schemaUrl'),
    scopeLogs: reader.list('scopeLogs', readScopeLogs),
  }
}

function readScopeLogs(reader: JsonReader): DecodedScopeLogs {
  return {
    scope: reader.scope(),
    schemaUrl: reader.string('schemaUrl'),
    logRecords: reader.list('logRecords', readLogRecord),
  }
}

function readLogRecord(reader: JsonReader): DecodedLogRecord {
  return {
    timeUnixNano: reader.uint64('timeUnixNano'),
    observedTimeUnixNano: reader.uint64('observedTimeUnixNano'),
    severityNumber: reader.number('severityNumber'),
    severityText: reader.string('severityText'),
    body: reader.value('body'),
    attributes: reader.attributes(),
    droppedAttributesCount: reader.number('droppedAttributesCount'),
    flags: reader.number('flags') >>> 0,
    traceId: reader.id('traceId', 16),
    spanId: reader.id('spanId', 8),
    eventName: reader.string('eventName'),
  }
}

function resourceLogsJson(data: DecodedResourceLogs): Json {
  return {
    resource: resourceJson(data.resource),
    scopeLogs: data.scopeLogs.map((scopeLogs) => ({
      scope: scopeJson(scopeLogs.scope),
      logRecords: scopeLogs.logRecords.map(logRecordJson),
      schemaUrl: orAbsent(scopeLogs.schemaUrl),
    })),
    schemaUrl: orAbsent(data.schemaUrl),
  }
}

function logRecordJson(record: DecodedLogRecord): Json {
  return {
    timeUnixNano: String(record.timeUnixNano),
    observedTimeUnixNano: String(record.observedTimeUnixNano),
    severityNumber: orAbsent(record.severityNumber),
    severityText: orAbsent(record.severityText),
    body: record.body === null ? undefined : valueJson(record.body),
    attributes: attributesJson(record.attributes),
    droppedAttributesCount: orAbsent(record.droppedAttributesCount),
    flags: orAbsent(record.flags),
    traceId: orAbsent(record.traceId),
    spanId: orAbsent(record.spanId),
    eventName: orAbsent(record.eventName),
  }
}
