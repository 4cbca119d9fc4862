import type { WorkerConfig } from '../messages.ts'

/** A configuration for tests of the parts that run in the worker. */
export function workerConfig(
  changes: Partial<WorkerConfig> & Pick<WorkerConfig, 'url' | 'protocol'>,
): WorkerConfig {
  return {
    signal: 'traces',
    headers: {},
    headersFile: undefined,
    socketPath: undefined,
    compression: 'none',
    timeoutMs: 5_000,
    tls: {},
    retry: { initialDelayMs: 10, delayMsMax: 20, elapsedMsMax: 60_000 },
    requestBytesMax: 1024 * 1024,
    concurrentRequestsMax: 4,
    spool: undefined,
    ...changes,
  }
}
