import { registerOpenTelemetry } from './testing/provider.test.kit.ts'
import { serverContract } from './testing/server.test.kit.ts'

serverContract(registerOpenTelemetry())
