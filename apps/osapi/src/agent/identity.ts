import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import type { AgentConfig } from '../config/index.ts'
import { sanitise } from '../job/subjects.ts'

/** Who a worker is. */
export interface Identity {
  readonly machineId: string
  readonly hostname: string
  /** Its part in subjects and keys: the sanitised machine id, since two machines may have one hostname. */
  readonly host: string
  /** Of this process: a worker that was started again is another one. */
  readonly instance: string
  readonly labels: Readonly<Record<string, string>>
}

export function identityOf(config: AgentConfig): Identity {
  const machineId = config.machine_id || readMachineId()
  return {
    machineId,
    hostname: config.hostname || hostname(),
    host: sanitise(machineId),
    instance: randomUUID(),
    labels: config.labels,
  }
}

/** `/etc/machine-id`, else the hardware's id, else the hostname. */
function readMachineId(): string {
  for (const file of ['/etc/machine-id', '/var/lib/dbus/machine-id', '/sys/class/dmi/id/product_uuid']) {
    try {
      const id = readFileSync(file, 'utf8').trim()
      if (id !== '') return id
    } catch {
      // Not on this kind of host, or not ours to read.
    }
  }
  return hostname()
}
