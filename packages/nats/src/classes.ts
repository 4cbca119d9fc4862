import { createRequire } from 'node:module'
import { hookJetstream } from './jetstream.ts'
import { hookKv } from './kv.ts'

/** What hooks the classes of each package of the client; it gets what the package's `/internal` entry exports. */
const hooks: Readonly<Record<string, (exports: unknown) => void>> = {
  jetstream: hookJetstream,
  kv: hookKv,
}

// The packages are CommonJS, so that whoever imports them, and by which way, finds the one instance in this cache.
// The path that createRequire asks for does not matter to it.
const loadedModules = createRequire(process.execPath).cache
const entry = /[\\/]@nats-io[\\/]([a-z-]+)[\\/]lib[\\/]internal_mod\.js$/
const done = new Set<string>()

/**
 * Hooks the classes of the client's packages that are loaded by now, each copy once, so that what is made of them on a
 * traced connection is traced, and on any other connection is not. Nothing is loaded for it.
 */
export function hookLoadedClasses(): void {
  for (const path of Object.keys(loadedModules)) {
    const name = entry.exec(path)?.[1]
    if (name === undefined || done.has(path)) continue
    const module = loadedModules[path]
    // One that is being loaded has not all of its exports yet.
    if (module?.loaded !== true) continue
    done.add(path)
    try {
      hooks[name]?.(module.exports)
    } catch {
      // Another version with other classes: it stays untraced.
    }
  }
}
