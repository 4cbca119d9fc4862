import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

export interface WorkerMetrics {
  readonly registry: Registry
  readonly active: Gauge
  readonly processed: Counter<'status'>
  readonly duration: Histogram
  /** Set when the last heartbeat was written, in ms since 1970; 0 before. */
  heartbeatAt: number
}

/** A registry of its own for each worker: several may live in one process. */
export function createWorkerMetrics(): WorkerMetrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const registers = [registry]
  const metrics: WorkerMetrics = {
    registry,
    active: new Gauge({ name: 'osapi_jobs_active', help: 'Jobs that run now', registers }),
    processed: new Counter({
      name: 'osapi_jobs_processed_total',
      help: 'Jobs that have an outcome, by its status',
      labelNames: ['status'],
      registers,
    }),
    duration: new Histogram({
      name: 'osapi_job_duration_seconds',
      help: 'From the start of a job to its stored outcome',
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300],
      registers,
    }),
    heartbeatAt: 0,
  }
  registry.registerMetric(
    new Gauge({
      name: 'osapi_heartbeat_age_seconds',
      help: 'Since the last heartbeat in the registry',
      registers: [],
      collect() {
        this.set(metrics.heartbeatAt === 0 ? 0 : (Date.now() - metrics.heartbeatAt) / 1000)
      },
    }),
  )
  const up = new Gauge({ name: 'osapi_component_up', help: '1 while the process serves', registers })
  up.set(1)
  return metrics
}
