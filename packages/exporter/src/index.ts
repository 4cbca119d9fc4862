export type { FlushOptions, FlushResult } from './chunk-exporter.ts'
export type { DiagnosticWriter } from './diagnostics.ts'
export {
  type FlushSpoolOptions,
  type FlushSpoolProgress,
  type FlushSpoolResult,
  flushSpool,
} from './flush-spool.ts'
export type { AdoptedLedger, DropReason, Ledger } from './ledger.ts'
export type { AdoptedProcess, OtlpProtocol, RetryLimits, SignalName, TlsOptions } from './messages.ts'
export type { OpenSpanOptions } from './open-span-options.ts'
export type { OtlpExporterOptions, QueueFullPolicy } from './options.ts'
export {
  createOtlpExporter,
  createOtlpLogExporter,
  type OtlpExporter,
  type OtlpLogExporter,
} from './otlp-exporter.ts'
export type { SpoolMode, SpoolOptions } from './spool-options.ts'
export { createStdoutExporter, type StdoutExporter, type StdoutExporterOptions } from './stdout-exporter.ts'
export { signalUrlFromBase } from './worker/endpoint.ts'
export { ExporterError, type ExporterErrorCode } from './worker/exporter-error.ts'
