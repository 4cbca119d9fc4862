import type { Lens, LensOptions } from './lens.ts'

/**
 * Starts Lens. Rejects with a LensError that says what to change: `invalid_option`, `port_in_use`, `listen_failed`,
 * `store_locked`, `store_unreadable`; nothing stays open then.
 *
 * Loads database, gRPC and web server only now: who draws a trace in the terminal needs none of them.
 */
export async function startLens(options: LensOptions = {}): Promise<Lens> {
  const lens = await import('./lens.ts')
  return lens.startLens(options)
}
