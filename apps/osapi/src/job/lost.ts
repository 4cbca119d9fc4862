import { rfc3339 } from './clock.ts'
import type { Claim, JobStore } from './store.ts'
import { sanitise } from './subjects.ts'

/** How often in a row a worker must be missing: after an outage of the server it takes a while to be back. */
export const looksUntilLost = 3

export const lostMessage = 'worker lost while running'

/** Tells the outcome of a job for a worker that is gone. Whoever comes first tells it; false for the others. */
export async function tellLost(
  store: JobStore,
  id: string,
  worker: Pick<Claim, 'machine_id' | 'hostname'>,
  error: string = lostMessage,
): Promise<boolean> {
  const host = sanitise(worker.machine_id)
  if ((await store.responseHosts(id)).includes(host)) return false
  const told = await store.createLostResponse(host, {
    job_id: id,
    status: 'failed',
    error,
    hostname: worker.hostname,
    timestamp: rfc3339(),
  })
  if (told) await store.appendEvent({ id, event: 'failed', host, hostname: worker.hostname, data: { error } })
  return told
}
