import { startAgent } from '../agent/agent.ts'
import { loadConfig } from '../config/index.ts'
import { connectBus } from '../job/bus.ts'
import { createLogger } from '../logger.ts'

// A worker by itself, for tests that kill it: settings as its argument, a message to the parent when it takes jobs.

const { config } = loadConfig({ flags: JSON.parse(process.argv[2] ?? '{}') as Record<string, unknown> })
const logger = createLogger({ json: true, write: () => undefined })
const bus = await connectBus({ connection: config.agent.nats, config: config.nats, logger })
await startAgent({ config, bus, logger, version: 'test' })
process.send?.('ready')
process.on('disconnect', () => process.exit(0))
