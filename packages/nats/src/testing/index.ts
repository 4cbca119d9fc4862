import { apiContract } from './api.ts'
import { badInputContract } from './bad-input.ts'
import { carrierContract } from './carriers.ts'
import { consumerEndContract } from './consumer-ends.ts'
import { consumerContract } from './consumers.ts'
import { coreContract } from './core.ts'
import { deadLetterContract } from './dead-letters.ts'
import type { Harness } from './harness.ts'
import { jetstreamContract } from './jetstream.ts'
import { kvContract } from './kv.ts'
import { lifecycleContract } from './lifecycle.ts'
import { loopContract } from './loops.ts'
import { objectStoreContract } from './object-store.ts'
import { servicesContract } from './services.ts'
import { settleContract } from './settle.ts'
import { trapsContract } from './traps.ts'
import { v2Contract } from './v2.ts'

/** What must hold under every tracer. */
export function natsContract(harness: Harness): void {
  coreContract(harness)
  loopContract(harness)
  carrierContract(harness)
  jetstreamContract(harness)
  consumerContract(harness)
  consumerEndContract(harness)
  settleContract(harness)
  deadLetterContract(harness)
  apiContract(harness)
  kvContract(harness)
  objectStoreContract(harness)
  servicesContract(harness)
  badInputContract(harness)
  v2Contract(harness)
  trapsContract(harness)
  lifecycleContract(harness)
}
