import { frameworkContract } from './testing/frameworks.test.kit.ts'
import { koaAndHonoContract } from './testing/koa-hono.test.kit.ts'
import { registerOpenTelemetry } from './testing/provider.test.kit.ts'

const provider = registerOpenTelemetry()
frameworkContract(provider)
koaAndHonoContract(provider)
