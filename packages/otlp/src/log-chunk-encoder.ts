import { ChunkEncoder } from './chunk-encoder.ts'
import { hexId } from './hex-id.ts'
import type { LogRecord } from './log-record.ts'

/** Encodes log records: each chunk is an `ExportLogsServiceRequest`. */
export class LogChunkEncoder extends ChunkEncoder<LogRecord> {
  protected override writeItem(at: number, record: LogRecord): number {
    const { writer } = this
    writer.require(at, fixedFieldsSizeBytes)
    const { bytes } = writer
    bytes[at] = 0x09
    let p = this.time(at + 1, record.timeMs)
    bytes[p] = 0x59
    p = this.time(p + 1, record.observedTimeMs)
    if (record.severityNumber > 0) {
      bytes[p] = 0x10
      bytes[p + 1] = record.severityNumber & 127
      p += 2
    }
    if (record.traceId !== '') p = spanIdentity(bytes, p, record)
    if (record.severityText !== '') p = writer.string(p, 0x1a, record.severityText)
    if (record.body !== undefined && record.body !== null) p = writer.value(p, 0x2a, record.body)
    p = writer.attributes(p, 0x32, record.flatAttributes)
    if (record.droppedAttributesCount > 0) p = writer.uint(p, 0x38, record.droppedAttributesCount)
    return record.eventName === '' ? p : writer.string(p, 0x62, record.eventName)
  }
}

/** Times 18, severity 2, trace id 18, span id 10, flags 5. */
const fixedFieldsSizeBytes = 53

function spanIdentity(bytes: Uint8Array, at: number, record: LogRecord): number {
  const p = hexId(bytes, hexId(bytes, at, 0x4a, record.traceId, 16), 0x52, record.spanId, 8)
  bytes[p] = 0x45
  bytes[p + 1] = record.traceFlags
  bytes[p + 2] = 0
  bytes[p + 3] = 0
  bytes[p + 4] = 0
  return p + 5
}
