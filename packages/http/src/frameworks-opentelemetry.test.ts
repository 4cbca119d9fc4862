import { frameworkContract } from './testing/frameworks.test.kit.ts'
import { registerOpenTelemetry } from './testing/provider.test.kit.ts'

frameworkContract(registerOpenTelemetry())
