import type { SignalName } from './messages.ts'
import { type OtlpExporterOptions, resolveOptions } from './options.ts'
import { invalidOption } from './worker/exporter-error.ts'
import type * as SpoolFlush from './worker/spool-flush.ts'

/** What {@link flushSpool} takes: the collector, and the folder that programs were given as `spool.dir`. */
export interface FlushSpoolOptions
  extends Omit<OtlpExporterOptions, 'clock' | 'diagnostics' | 'resource' | 'spool'> {
  readonly dir: string
  readonly signal: SignalName
  /** It gives up when nothing could be delivered for so long. Default 10,000. */
  readonly idleMsMax?: number
  readonly onProgress?: (progress: FlushSpoolProgress) => void
}

/** What is done until now. */
export type FlushSpoolProgress = SpoolFlush.SpoolFlushProgress

/** What was done. */
export type FlushSpoolResult = SpoolFlush.SpoolFlushResult

/**
 * Delivers what programs have left in a spool's folder that are gone. Rejects for a wrong option only; trouble with disk or
 * collector is in the result.
 */
export async function flushSpool(options: FlushSpoolOptions): Promise<FlushSpoolResult> {
  const { dir, signal, idleMsMax = 10_000, onProgress, ...exporter } = options
  const { worker } = resolveOptions(
    { ...exporter, resource: {}, clock: { originUnixNano: 0n }, spool: { dir } },
    signal,
  )
  if (worker.spool === undefined) throw invalidOption('dir must name a folder')
  // By its address: a part of the bundle that programs load, it would cost each of them time at its start.
  const address = new URL('./worker/spool-flush.js', import.meta.url).href
  const { flushSpoolFolder } = (await import(address)) as typeof SpoolFlush
  return await flushSpoolFolder({
    config: worker,
    idleMsMax,
    totalMsMax: Number.POSITIVE_INFINITY,
    ...(onProgress !== undefined && { onProgress }),
  })
}
