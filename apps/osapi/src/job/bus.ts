import { readFileSync } from 'node:fs'
import { type JetStreamClient, type JetStreamManager, jetstream, jetstreamManager } from '@nats-io/jetstream'
import { type KV, Kvm } from '@nats-io/kv'
import { type Authenticator, type NatsConnection, nkeyAuthenticator } from '@nats-io/nats-core'
import { connect, type NodeConnectionOptions } from '@nats-io/transport-node'
import { type NatsTracingOptions, traceNats } from '@throughline/nats'
import type { Logger } from 'pino'
import type { Config, NatsAuthConfig, NatsConnectionConfig } from '../config/index.ts'
import { ensureInfrastructure } from './infrastructure.ts'
import { type Names, namesFor } from './names.ts'
import { subjectTemplate } from './subjects.ts'

/** The connection of one process to NATS, with the buckets it uses. Everything done on it inside a span is traced. */
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
  /** Sends what is buffered and closes the connection. */
  close(): Promise<void>
}

export interface BusOptions {
  readonly connection: NatsConnectionConfig
  readonly config: Config['nats']
  readonly logger: Logger
  /** How long the first connection may take; afterwards it reconnects for ever. Default: 5,000. */
  readonly connectTimeoutMs?: number
}

/** Connects, creates what is missing of streams and buckets, and opens the buckets. */
export async function connectBus(options: BusOptions): Promise<Bus> {
  const { connection, logger } = options
  const bare = await connect(connectOptions(connection, options.connectTimeoutMs ?? 5_000))
  reportStatus(bare, logger)
  try {
    return await openBus(bare, options)
  } catch (error) {
    await bare.close()
    throw error
  }
}

async function openBus(bare: NatsConnection, { connection, config }: BusOptions): Promise<Bus> {
  const nc = traceNats(bare, tracingOptions)
  const js = jetstream(nc)
  const jsm = await jetstreamManager(nc)
  const kvm = new Kvm(js)
  const names = namesFor(config, connection.namespace)
  await ensureInfrastructure(jsm, kvm, { config, names })
  const [jobs, registry, facts, state] = await Promise.all(
    [names.jobsBucket, names.registryBucket, names.factsBucket, names.stateBucket].map((name) =>
      kvm.open(name),
    ),
  )
  if (!jobs || !registry || !facts || !state) throw new Error('unreachable: four buckets were opened')
  return { nc, js, jsm, names, jobs, registry, facts, state, close: () => bare.drain() }
}

/** Heartbeats and watches run outside of any request and make no traces; the worker starts the spans of its messages. */
const tracingOptions: NatsTracingOptions = {
  rootSpans: false,
  processSpan: () => false,
  destinationTemplate: subjectTemplate,
}

function connectOptions(connection: NatsConnectionConfig, timeout: number): NodeConnectionOptions {
  return {
    servers: `${connection.host}:${connection.port}`,
    name: connection.client_name,
    timeout,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    reconnectJitter: 250,
    ignoreAuthErrorAbort: true,
    ...authOptions(connection.auth),
  }
}

function authOptions(auth: NatsAuthConfig): Partial<NodeConnectionOptions> {
  if (auth.type === 'user_pass') return { user: auth.username, pass: auth.password }
  if (auth.type === 'nkey') {
    const seed = readFileSync(auth.nkey_file, 'utf8').trim()
    const authenticator: Authenticator = nkeyAuthenticator(new TextEncoder().encode(seed))
    return { authenticator }
  }
  return {}
}

function reportStatus(nc: NatsConnection, logger: Logger): void {
  const watch = async () => {
    for await (const status of nc.status()) {
      if (status.type === 'disconnect') logger.warn('nats connection lost, reconnecting')
      if (status.type === 'reconnect') logger.info('nats connection restored')
      if (status.type === 'error') logger.warn({ error: status.error }, 'nats connection error')
    }
  }
  watch().catch((error: unknown) => logger.error({ error }, 'nats status cannot be watched'))
}
