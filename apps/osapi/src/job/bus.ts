import type { JetStreamClient, JetStreamManager } from '@nats-io/jetstream'
import type { KV } from '@nats-io/kv'
import type { NatsConnection } from '@nats-io/nats-core'
import type { Names } from './names.ts'

/** The connection of one process to NATS, with the buckets it uses. Everything on it is traced. */
export interface Bus {
  readonly nc: NatsConnection
  readonly js: JetStreamClient
  readonly jsm: JetStreamManager
  readonly names: Names
  /** Definitions, events and responses of jobs. */
  readonly jobs: KV
  readonly registry: KV
  readonly facts: KV
  readonly state: KV
  /** Drains and closes the connection. */
  close(): Promise<void>
}
