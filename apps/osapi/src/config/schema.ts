import { z } from 'zod'
import {
  boolean,
  decimal,
  duration,
  durations,
  integer,
  list,
  listenPort,
  map,
  port,
  text,
  word,
} from './fields.ts'
import type { Config } from './types.ts'

// The keys are the file's own, so that one name is found in the file, in the code and in a message. Durations are in ms.

const countMax = Number.MAX_SAFE_INTEGER

const auth = z
  .object({
    type: word(['none', 'user_pass', 'nkey'], 'none'),
    username: text(''),
    password: text(''),
    nkey_file: text(''),
  })
  .prefault({})

function connection(clientName: string) {
  return z
    .object({
      host: text('localhost'),
      port: port(4222),
      client_name: text(clientName),
      namespace: text(''),
      auth,
    })
    .prefault({})
}

function metrics(defaultPort: number) {
  return z
    .object({ enabled: boolean(true), host: text('0.0.0.0'), port: listenPort(defaultPort) })
    .prefault({})
}

const storage = word(['file', 'memory'], 'file')
const replicas = integer(1, { min: 1, max: 5 })

const controller = z
  .object({
    client: z
      .object({
        url: text('http://0.0.0.0:8080'),
        security: z.object({ bearer_token: text('') }).prefault({}),
      })
      .prefault({}),
    api: z
      .object({
        port: listenPort(8080),
        job_timeout: duration('30s'),
        security: z
          .object({
            signing_key: text(''),
            cors: z.object({ allow_origins: list() }).prefault({}),
            roles: z.record(z.string(), z.object({ permissions: list() })).default({}),
          })
          .prefault({}),
      })
      .prefault({}),
    nats: connection('osapi-api'),
    metrics: metrics(9090),
  })
  .prefault({})

const nats = z
  .object({
    server: z
      .object({
        host: text('localhost'),
        port: listenPort(4222),
        store_dir: text('.nats/jetstream/'),
        namespace: text(''),
        auth,
        metrics: metrics(9092),
      })
      .prefault({}),
    stream: z
      .object({
        name: text('JOBS'),
        subjects: text('jobs.>'),
        max_age: duration('24h'),
        max_msgs: integer(10_000, { min: 1, max: countMax }),
        storage,
        replicas,
        discard: word(['old', 'new'], 'old'),
      })
      .prefault({}),
    kv: z
      .object({
        bucket: text('job-queue'),
        response_bucket: text('job-responses'),
        ttl: duration('1h'),
        max_bytes: integer(104_857_600, { min: 1, max: countMax }),
        storage,
        replicas,
      })
      .prefault({}),
    dlq: z
      .object({
        max_age: duration('168h'),
        max_msgs: integer(1000, { min: 1, max: countMax }),
        storage,
        replicas,
      })
      .prefault({}),
    audit: z
      .object({
        stream: text('AUDIT'),
        subject: text('audit'),
        max_age: duration('720h'),
        max_bytes: integer(52_428_800, { min: 1, max: countMax }),
        storage,
        replicas,
      })
      .prefault({}),
    registry: z
      .object({ bucket: text('agent-registry'), ttl: duration('30s'), storage, replicas })
      .prefault({}),
    facts: z.object({ bucket: text('agent-facts'), ttl: duration('5m'), storage, replicas }).prefault({}),
    state: z.object({ bucket: text('agent-state'), storage, replicas }).prefault({}),
  })
  .prefault({})

const telemetry = z
  .object({
    tracing: z
      .object({
        enabled: boolean(false),
        /** Checked when tracing starts, where an unknown one stops the process. */
        exporter: text(''),
        otlp_endpoint: text(''),
        otlp_protocol: word(['grpc', 'http/protobuf', 'http/json'], 'grpc'),
        otlp_headers: map(),
        otlp_headers_file: text(''),
        otlp_insecure: boolean(true),
        otlp_certificate: text(''),
        otlp_client_certificate: text(''),
        otlp_client_key: text(''),
        otlp_logs: boolean(false),
        spool_dir: text(''),
      })
      .prefault({}),
  })
  .prefault({})

const agent = z
  .object({
    nats: connection('osapi-agent'),
    consumer: z
      .object({
        name: text('jobs-agent'),
        max_deliver: integer(5, { min: 1, max: 1000 }),
        ack_wait: duration('2m'),
        max_ack_pending: integer(1000, { min: 1, max: 1_000_000 }),
        replay_policy: word(['instant', 'original'], 'instant'),
        back_off: durations(['30s', '2m', '5m', '15m', '30m']),
      })
      .prefault({}),
    queue_group: text('job-agents'),
    hostname: text(''),
    machine_id: text(''),
    max_jobs: integer(10, { min: 1, max: 10_000 }),
    labels: map(),
    facts: z.object({ interval: duration('60s'), custom: map() }).prefault({}),
    conditions: z
      .object({
        memory_pressure_threshold: decimal(90, { min: 0, max: 100 }),
        high_load_multiplier: decimal(2, { min: 0, max: 1000 }),
        disk_pressure_threshold: decimal(90, { min: 0, max: 100 }),
      })
      .prefault({}),
    metrics: metrics(9091),
  })
  .prefault({})

/** Parses a tree whose leaves may be text; the result has every key. Issues' paths are the file's keys. */
export const configSchema: z.ZodType<Config> = z.object({
  debug: boolean(false),
  controller,
  nats,
  telemetry,
  agent,
})
