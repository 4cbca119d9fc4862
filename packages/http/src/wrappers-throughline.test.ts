import { registerThroughline } from './testing/provider.test.kit.ts'
import { wrapperContract } from './testing/wrappers.test.kit.ts'

wrapperContract(registerThroughline())
