import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { JobClient } from '../job/client.ts'

export interface ApiMetrics {
  readonly registry: Registry
  observeRequest(request: {
    readonly method: string
    readonly route: string
    readonly status: number
    readonly seconds: number
  }): void
  jobCreated(): void
  /** What `/health/status` found, so that a scrape shows it too. */
  setSubsystem(name: string, isUp: boolean): void
}

const secondsBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

/** The API server's metrics, in a registry of their own: several servers may run in one process. */
export function createApiMetrics(): ApiMetrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const registers = [registry]
  new Gauge({ name: 'osapi_component_up', help: 'The API server runs.', registers }).set(1)
  const subsystems = new Gauge({
    name: 'osapi_subsystem_up',
    help: 'A part of the API server works.',
    labelNames: ['subsystem'],
    registers,
  })
  subsystems.set({ subsystem: 'http' }, 1)
  const created = new Counter({
    name: 'osapi_jobs_created_total',
    help: 'Jobs stored and published.',
    registers,
  })
  const duration = new Histogram({
    name: 'http_server_request_duration_seconds',
    help: 'Time to answer a request.',
    labelNames: ['method', 'route', 'status'],
    buckets: secondsBuckets,
    registers,
  })
  return {
    registry,
    observeRequest: ({ method, route, status, seconds }) =>
      duration.observe({ method, route, status }, seconds),
    jobCreated: () => created.inc(),
    setSubsystem: (subsystem, isUp) => subsystems.set({ subsystem }, isUp ? 1 : 0),
  }
}

/** The job client, counting each job that it stores: an answer or an error that names a job means that one exists. */
export function countJobs(jobs: JobClient, metrics: Pick<ApiMetrics, 'jobCreated'>): JobClient {
  const counted = async <T>(making: Promise<T>): Promise<T> => {
    try {
      const made = await making
      metrics.jobCreated()
      return made
    } catch (error) {
      if (error instanceof Error && 'jobId' in error && error.jobId !== undefined) metrics.jobCreated()
      throw error
    }
  }
  return {
    run: (operation, target) => counted(jobs.run(operation, target)),
    publishAndWait: (operation, target) => counted(jobs.publishAndWait(operation, target)),
    publishAndCollect: (operation, target) => counted(jobs.publishAndCollect(operation, target)),
    add: (operation, target) => counted(jobs.add(operation, target)),
    retry: (id, target) => counted(jobs.retry(id, target)),
    get: (id) => jobs.get(id),
    list: (query) => jobs.list(query),
    delete: (id) => jobs.delete(id),
    status: () => jobs.status(),
    dlqCount: () => jobs.dlqCount(),
  }
}
