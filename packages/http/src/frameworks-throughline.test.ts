import { frameworkContract } from './testing/frameworks.test.kit.ts'
import { koaAndHonoContract } from './testing/koa-hono.test.kit.ts'
import { registerThroughline } from './testing/provider.test.kit.ts'

const provider = registerThroughline()
frameworkContract(provider)
koaAndHonoContract(provider)
