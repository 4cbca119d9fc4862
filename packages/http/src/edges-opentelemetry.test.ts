import { edgeContract } from './testing/edges.test.kit.ts'
import { registerOpenTelemetry } from './testing/provider.test.kit.ts'

edgeContract(registerOpenTelemetry())
