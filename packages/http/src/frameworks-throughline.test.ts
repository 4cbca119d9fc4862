import { frameworkContract } from './testing/frameworks.test.kit.ts'
import { registerThroughline } from './testing/provider.test.kit.ts'

frameworkContract(registerThroughline())
