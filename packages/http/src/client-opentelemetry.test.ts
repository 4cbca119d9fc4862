import { clientContract } from './testing/client.test.kit.ts'
import { registerOpenTelemetry } from './testing/provider.test.kit.ts'

clientContract(registerOpenTelemetry())
