import { carrierContract } from './carriers.ts'
import { consumerContract } from './consumers.ts'
import { coreContract } from './core.ts'
import type { Harness } from './harness.ts'
import { jetstreamContract } from './jetstream.ts'
import { kvContract } from './kv.ts'
import { lifecycleContract } from './lifecycle.ts'
import { loopContract } from './loops.ts'
import { servicesContract } from './services.ts'
import { settleContract } from './settle.ts'

/** What must hold under every tracer. */
export function natsContract(harness: Harness): void {
  coreContract(harness)
  loopContract(harness)
  carrierContract(harness)
  jetstreamContract(harness)
  consumerContract(harness)
  settleContract(harness)
  kvContract(harness)
  servicesContract(harness)
  lifecycleContract(harness)
}
