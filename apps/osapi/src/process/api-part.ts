import type { Config } from '../config/index.ts'
import { type Bus, connectBus } from '../job/bus.ts'
import { Janitor } from '../job/janitor.ts'
import { createJobClient } from '../job/nats-client.ts'
import { createAgentRegistry } from '../job/nats-registry.ts'
import { ResponseWatch } from '../job/response-watch.ts'
import { JobStore } from '../job/store.ts'
import type { ApiServer, StartApi } from './component.ts'
import type { Launch } from './index.ts'
import type { Part } from './life-cycle.ts'
import { startMetricsServer } from './metrics-server.ts'
import { announce } from './presence.ts'

export interface ApiPartOptions {
  readonly launch: Launch
  readonly startApi: StartApi
  readonly connection: () => Config['controller']['nats']
}

/** The API server with what it needs of the job system. */
export function apiPart({ launch, startApi, connection }: ApiPartOptions): Part {
  const { config, logger } = launch
  return {
    name: 'api server',
    start: async () => {
      const bus = await connectBus({
        connection: connection(),
        config: config.nats,
        logger: logger.child({ component: 'api.nats' }),
      })
      try {
        return await serve(bus, launch, startApi)
      } catch (error) {
        await bus.close()
        throw error
      }
    },
  }
}

async function serve(bus: Bus, { config, logger, version }: Launch, startApi: StartApi) {
  const jobLogger = logger.child({ component: 'job.client' })
  const intervalMs = Math.floor(config.nats.registry.ttl / 3)
  const store = new JobStore({ kv: bus.jobs, jsm: bus.jsm, bucket: bus.names.jobsBucket })
  const agents = createAgentRegistry(bus)
  const responses = new ResponseWatch({ bus, store, logger: jobLogger })
  const janitor = new Janitor({ bus, store, agents, responses, logger: jobLogger, intervalMs })
  const timeoutMs = config.controller.api.job_timeout
  const jobs = createJobClient({ bus, store, agents, responses, logger: jobLogger, timeoutMs })
  await responses.start()
  await janitor.start()
  const tracingEnabled = config.telemetry.tracing.enabled
  const api = await startApi({ config, bus, jobs, agents, logger, version, tracingEnabled })
  const metrics = await startMetricsServer(config.controller.metrics, {
    metrics: () => api.metrics(),
    unreadiness: async () => (bus.nc.isClosed() ? 'nats connection is closed' : undefined),
  })
  const presence = await announce(
    { type: 'controller', version, sub_components: subComponents(api, tracingEnabled) },
    { bus, logger, intervalMs },
  )
  logger.info({ port: api.port, metrics_port: metrics?.port }, 'api server listening')
  return {
    name: 'api server',
    stop: async () => {
      await api.stop()
      await presence.stop()
      janitor.stop()
      responses.stop()
    },
    close: async () => {
      await metrics?.stop()
      await bus.close()
    },
  }
}

function subComponents(api: ApiServer, tracingEnabled: boolean) {
  return {
    http: { status: 'ok', address: `:${api.port}` },
    tracing: { status: tracingEnabled ? 'ok' : 'disabled' },
  }
}
