import type { SpanSink } from '@throughline/trace'
import { ChunkExporter, type FlushOptions, type FlushResult } from './chunk-exporter.ts'
import type { Ledger } from './ledger.ts'
import { type OtlpExporterOptions, resolveOptions } from './options.ts'

/**
 * A span sink that delivers spans by OTLP from a worker thread. Nothing of it throws into the host, does I/O on the
 * host's thread, or keeps the process alive, except while flush or shutdown are awaited.
 */
export interface OtlpExporter extends SpanSink {
  /** Starts the worker thread now instead of at the first hand-over. */
  start(): void
  ledger(): Ledger
  forceFlush(options?: FlushOptions): Promise<FlushResult>
  shutdown(options?: FlushOptions): Promise<FlushResult>
}

/** Throws an ExporterError that names the option, its value and what is allowed. */
export function createOtlpExporter(options: OtlpExporterOptions): OtlpExporter {
  return new ChunkExporter(resolveOptions(options))
}
