import type { Decoded, DecodeLimits } from './decode.ts'
import type {
  DecodedKeyValue,
  DecodedLogRecord,
  DecodedResourceLogs,
  DecodedScopeLogs,
  LogsData,
} from './model.ts'
import {
  emptyResource,
  emptyScope,
  readAnyValue,
  readKeyValue,
  readResource,
  readScope,
  writeAnyValue,
  writeCount,
  writeFixed32,
  writeFixed64,
  writeId,
  writeKeyValues,
  writeResource,
  writeScope,
  writeText,
} from './protobuf-common.ts'
import { decodeMessage, type WireReader } from './wire-reader.ts'
import { encodeMessage, type WireWriter } from './wire-writer.ts'

/** Decodes a protobuf `ExportLogsServiceRequest` (`LogsData` has the same bytes). Never throws. */
export function decodeLogs(bytes: Uint8Array, limits: DecodeLimits = {}): Decoded<LogsData> {
  return decodeMessage(bytes, limits, readLogs)
}

/** Encodes a protobuf `ExportLogsServiceRequest`. */
export function encodeLogs(data: LogsData): Uint8Array {
  return encodeMessage((writer) => {
    let p = 0
    for (const resourceLogs of data.resourceLogs) p = writeResourceLogs(writer, p, resourceLogs)
    return p
  })
}

function readLogs(reader: WireReader): LogsData {
  const resourceLogs: DecodedResourceLogs[] = []
  while (reader.more()) {
    const tag = reader.tag()
    if (tag === 0x0a) resourceLogs.push(reader.message(readResourceLogs))
    else reader.skip(tag)
  }
  return { resourceLogs }
}

function readResourceLogs(reader: WireReader): DecodedResourceLogs {
  const scopeLogs: DecodedScopeLogs[] = []
  let resource = emptyResource
  let schemaUrl = ''
  while (reader.more()) {
    const tag = reader.tag()
    if (tag === 0x0a) resource = reader.message(readResource)
    else if (tag === 0x12) scopeLogs.push(reader.message(readScopeLogs))
    else if (tag === 0x1a) schemaUrl = reader.string()
    else reader.skip(tag)
  }
  return { resource, schemaUrl, scopeLogs }
}

function readScopeLogs(reader: WireReader): DecodedScopeLogs {
  const logRecords: DecodedLogRecord[] = []
  let scope = emptyScope
  let schemaUrl = ''
  while (reader.more()) {
    const tag = reader.tag()
    if (tag === 0x0a) scope = reader.message(readScope)
    else if (tag === 0x12) logRecords.push(reader.message(readLogRecord))
    else if (tag === 0x1a) schemaUrl = reader.string()
    else reader.skip(tag)
  }
  return { scope, schemaUrl, logRecords }
}

function readLogRecord(reader: WireReader): DecodedLogRecord {
  const attributes: DecodedKeyValue[] = []
  const record: { -readonly [K in keyof DecodedLogRecord]: DecodedLogRecord[K] } = {
    timeUnixNano: 0n,
    observedTimeUnixNano: 0n,
    severityNumber: 0,
    severityText: '',
    body: null,
    attributes,
    droppedAttributesCount: 0,
    flags: 0,
    traceId: '',
    spanId: '',
    eventName: '',
  }
  while (reader.more()) {
    const tag = reader.tag()
    if (tag === 0x09) record.timeUnixNano = reader.fixed64()
    else if (tag === 0x59) record.observedTimeUnixNano = reader.fixed64()
    else if (tag === 0x10) record.severityNumber = reader.int32()
    else if (tag === 0x1a) record.severityText = reader.string()
    else if (tag === 0x2a) record.body = readAnyValue(reader)
    else if (tag === 0x32) attributes.push(readKeyValue(reader))
    else if (tag === 0x38) record.droppedAttributesCount = reader.uint32()
    else if (tag === 0x45) record.flags = reader.fixed32()
    else if (tag === 0x4a) record.traceId = reader.id(16)
    else if (tag === 0x52) record.spanId = reader.id(8)
    else if (tag === 0x62) record.eventName = reader.string()
    else reader.skip(tag)
  }
  return record
}

function writeResourceLogs(writer: WireWriter, at: number, data: DecodedResourceLogs): number {
  const bodyAt = writer.open(at, 0x0a)
  let p = writeResource(writer, bodyAt, data.resource)
  for (const scopeLogs of data.scopeLogs) {
    const scopeAt = writer.open(p, 0x12)
    p = writeScope(writer, scopeAt, scopeLogs.scope)
    for (const record of scopeLogs.logRecords) p = writeLogRecord(writer, p, record)
    p = writer.close(scopeAt, writeText(writer, p, 0x1a, scopeLogs.schemaUrl))
  }
  return writer.close(bodyAt, writeText(writer, p, 0x1a, data.schemaUrl))
}

function writeLogRecord(writer: WireWriter, at: number, record: DecodedLogRecord): number {
  const bodyAt = writer.open(at, 0x12)
  let p = writeFixed64(writer, bodyAt, 0x09, record.timeUnixNano)
  p = writeFixed64(writer, p, 0x59, record.observedTimeUnixNano)
  p = writeCount(writer, p, 0x10, record.severityNumber)
  p = writeText(writer, p, 0x1a, record.severityText)
  if (record.body !== null) p = writeAnyValue(writer, p, 0x2a, record.body)
  p = writeKeyValues(writer, p, 0x32, record.attributes)
  p = writeCount(writer, p, 0x38, record.droppedAttributesCount)
  if (record.flags !== 0) p = writeFixed32(writer, writer.raw(p, flagsTag), record.flags)
  p = writeId(writer, p, 0x4a, record.traceId)
  p = writeId(writer, p, 0x52, record.spanId)
  return writer.close(bodyAt, writeText(writer, p, 0x62, record.eventName))
}

const flagsTag = Uint8Array.of(0x45)
