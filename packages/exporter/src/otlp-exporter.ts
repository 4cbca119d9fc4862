import type { LogRecord } from '@throughline/otlp'
import type { SpanSink } from '@throughline/trace'
import { ChunkExporter, type FlushOptions, type FlushResult } from './chunk-exporter.ts'
import type { AdoptedLedger, Ledger } from './ledger.ts'
import { OpenSpanExporter } from './open-span-exporter.ts'
import { resolveOpenSpans } from './open-span-options.ts'
import { type OtlpExporterOptions, resolveOptions } from './options.ts'
import { logSignal, spanSignal } from './signal.ts'

/**
 * A span sink that delivers spans by OTLP from a worker thread. Nothing of it throws into the host, does I/O on the
 * host's thread, or keeps the process alive, except while flush or shutdown are awaited.
 */
export interface OtlpExporter extends SpanSink {
  /** Starts the worker thread now instead of at the first hand-over. */
  start(): void
  /** The account at this moment. */
  ledger(): Ledger
  /** The account of what was taken over, from the spool, of processes that are gone. */
  adopted(): AdoptedLedger
  /** Hands over everything that ended so far. Resolves when it is delivered or dropped, or when the time is up. */
  forceFlush(options?: FlushOptions): Promise<FlushResult>
  /** Flushes, then ends the worker thread; what is left is kept in the spool, or without one counted as dropped. Later calls get the same promise. */
  shutdown(options?: FlushOptions): Promise<FlushResult>
}

/** Makes the exporter; its thread and connections come later. Throws an ExporterError that names the option, its value and what is allowed. */
export function createOtlpExporter(options: OtlpExporterOptions): OtlpExporter {
  const settings = resolveOptions(options)
  const openSpans = resolveOpenSpans(options.openSpans)
  return openSpans === undefined
    ? new ChunkExporter(spanSignal, settings)
    : new OpenSpanExporter(settings, openSpans)
}

/** The same for log records, with a thread, a queue and an account of its own; nothing is started before the first record. */
export interface OtlpLogExporter extends Omit<OtlpExporter, 'onEnd'> {
  /** Takes a record; its fields are read before this returns. */
  onEmit(record: LogRecord): void
}

/** As `createOtlpExporter`; an endpoint without a path gets `/v1/logs`. */
export function createOtlpLogExporter(options: OtlpExporterOptions): OtlpLogExporter {
  const exporter = new ChunkExporter(logSignal, resolveOptions(options, 'logs'))
  return {
    onEmit: (record) => exporter.onEnd(record),
    start: () => exporter.start(),
    ledger: () => exporter.ledger(),
    adopted: () => exporter.adopted(),
    forceFlush: (flushOptions) => exporter.forceFlush(flushOptions),
    shutdown: (flushOptions) => exporter.shutdown(flushOptions),
  }
}
