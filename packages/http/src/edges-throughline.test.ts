import { edgeContract } from './testing/edges.test.kit.ts'
import { registerThroughline } from './testing/provider.test.kit.ts'

edgeContract(registerThroughline())
