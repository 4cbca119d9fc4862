import { startAgent } from '../agent/agent.ts'
import { createWorkerMetrics } from '../agent/metrics.ts'
import type { Config } from '../config/index.ts'
import { connectBus } from '../job/bus.ts'
import type { Launch } from './index.ts'
import type { Part } from './life-cycle.ts'
import { startMetricsServer } from './metrics-server.ts'

/** The worker of this host. */
export function workerPart(
  { config, logger, version }: Launch,
  connection: () => Config['agent']['nats'],
): Part {
  return {
    name: 'node agent',
    startingText: 'starting node agent',
    start: async () => {
      const bus = await connectBus({
        connection: connection(),
        config: config.nats,
        logger: logger.child({ component: 'agent.nats' }),
      })
      const metrics = createWorkerMetrics()
      const agent = await startAgent({ config, bus, logger, version, metrics }).catch(
        async (error: unknown) => {
          await bus.close()
          throw error
        },
      )
      const server = await startMetricsServer(config.agent.metrics, {
        metrics: () => metrics.registry.metrics(),
        unreadiness: async () => (bus.nc.isClosed() ? 'nats connection is closed' : undefined),
      })
      return {
        name: 'node agent',
        stop: () => agent.stop(),
        close: async () => {
          await server?.stop()
          await bus.close()
        },
      }
    },
  }
}
