import { readFileSync } from 'node:fs'
import { nkeys } from '@nats-io/nats-core'
import { type NatsServer, type NatsServerOptions, startNatsServer } from '@throughline/nats-server'
import { Gauge, Registry } from 'prom-client'
import type { Config, NatsConnectionConfig } from '../config/index.ts'
import { type Bus, connectBus } from '../job/bus.ts'
import type { Launch } from './index.ts'
import type { Part } from './life-cycle.ts'
import { startMetricsServer } from './metrics-server.ts'
import { announce } from './presence.ts'

/** The NATS server with its streams and buckets. `onPort` gets the port it listens on. */
export function natsPart({ config, logger, version }: Launch, onPort: (port: number) => void): Part {
  return {
    name: 'nats server',
    isBase: true,
    start: async (fail) => {
      const server = await startNatsServer(
        serverOptions(config, (line) => logger.debug({ line }, 'nats-server')),
      )
      try {
        const bus = await connectBus({
          connection: ownConnection(config, server),
          config: config.nats,
          logger: logger.child({ component: 'nats' }),
        })
        const intervalMs = Math.floor(config.nats.registry.ttl / 3)
        const address = `${server.host}:${server.port}`
        const presence = await announce(
          { type: 'nats', version, sub_components: { server: { status: 'ok', address } } },
          { bus, logger, intervalMs },
        )
        const metrics = await startMetricsServer(config.nats.server.metrics, metricsOf(bus))
        logger.info({ url: server.url, store_dir: config.nats.server.store_dir }, 'nats server listening')
        onPort(server.port)
        let isStopping = false
        void server.exited().then(() => {
          if (!isStopping) fail(new Error('nats server ended by itself'))
        })
        return {
          name: 'nats server',
          stop: async () => {
            isStopping = true
            await presence.stop()
            await bus.close()
            await server.stop()
          },
          close: async () => await metrics?.stop(),
        }
      } catch (error) {
        await server.stop()
        throw error
      }
    },
  }
}

function serverOptions(config: Config, log: (line: string) => void): NatsServerOptions {
  const { host, port, store_dir: storeDir, auth } = config.nats.server
  return {
    host,
    port,
    storeDir,
    log,
    // A NATS_URL in the environment is for clients: this command starts a server of its own.
    env: { ...process.env, NATS_URL: undefined },
    ...(auth.type === 'user_pass' ? { auth: { user: auth.username, password: auth.password } } : {}),
    ...(auth.type === 'nkey' ? { configText: nkeyConfig(auth.nkey_file) } : {}),
  }
}

/** The server knows the public key of the seed that its clients sign with. */
function nkeyConfig(seedFile: string): string {
  const seed = readFileSync(seedFile, 'utf8').trim()
  const publicKey = nkeys.fromSeed(new TextEncoder().encode(seed)).getPublicKey()
  return `authorization { users: [ { nkey: ${publicKey} } ] }`
}

function ownConnection(config: Config, server: NatsServer): NatsConnectionConfig {
  const { namespace, auth } = config.nats.server
  return { host: new URL(server.url).hostname, port: server.port, client_name: 'osapi-nats', namespace, auth }
}

function metricsOf(bus: Bus) {
  const registry = new Registry()
  const registers = [registry]
  const up = new Gauge({ name: 'osapi_component_up', help: '1 while the process serves', registers })
  up.set(1)
  registry.registerMetric(
    new Gauge({
      name: 'osapi_stream_messages',
      help: 'Messages kept in a stream',
      labelNames: ['stream'],
      registers: [],
      async collect() {
        for await (const { config, state } of bus.jsm.streams.list()) {
          this.set({ stream: config.name }, state.messages)
        }
      },
    }),
  )
  return {
    metrics: () => registry.metrics(),
    unreadiness: async () => (bus.nc.isClosed() ? 'nats connection is closed' : undefined),
  }
}
