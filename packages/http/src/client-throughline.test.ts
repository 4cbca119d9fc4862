import { clientContract } from './testing/client.test.kit.ts'
import { registerThroughline } from './testing/provider.test.kit.ts'

clientContract(registerThroughline())
