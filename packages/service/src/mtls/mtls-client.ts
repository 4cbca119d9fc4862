import { tracedFetch } from '@throughline/http'
import { Agent } from 'undici'
import { type TlsFiles, type TlsMaterial, type TlsReloading, WatchedTlsFiles } from './tls-material.ts'

type Fetch = typeof globalThis.fetch

export interface MtlsClient {
  /** Traced: a client span for each call. */
  readonly fetch: Fetch
  /** Looks at the files now instead of at the next interval. Resolves with whether there was something new. */
  reload(): Promise<boolean>
  /** Lets running requests end, then closes the connections. */
  close(): Promise<void>
}

/**
 * A fetch that shows a certificate and trusts an authority, both from files and read again when they change: new
 * connections use the new ones. Without any file it is the plain traced fetch. TLS 1.3 only. Throws an MtlsError.
 */
export function createMtlsClient(files: TlsFiles, options: TlsReloading = {}): MtlsClient {
  if (files.ca === undefined && files.cert === undefined && files.key === undefined)
    return { fetch: tracedFetch(), reload: () => Promise.resolve(false), close: () => Promise.resolve() }
  const watched = new WatchedTlsFiles(files, options)
  let agent = agentWith(watched.current)
  watched.onChange((material) => {
    const before = agent
    agent = agentWith(material)
    void before.close()
  })
  const base: Fetch = (input, init) => {
    // Node's own fetch takes a dispatcher of undici's package; its type only knows the one that it was built with.
    const withAgent = { ...init, dispatcher: agent } as unknown as RequestInit
    return globalThis.fetch(input, withAgent)
  }
  return {
    fetch: tracedFetch(base),
    reload: () => watched.check(),
    close: async () => {
      watched.close()
      await agent.close()
    },
  }
}

function agentWith(material: TlsMaterial): Agent {
  return new Agent({ connect: { ...material, minVersion: 'TLSv1.3' } })
}
