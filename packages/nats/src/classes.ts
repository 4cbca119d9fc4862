import { createRequire } from 'node:module'
import { hookJetstream } from './jetstream.ts'
import { hookKv } from './kv.ts'
import { hookObjectStore } from './object-store.ts'
import { hookServices } from './services.ts'

/** The modules that export the classes of the client's packages, and what hooks these; it gets the module's exports. */
const hooks: Readonly<Record<string, (exports: unknown) => void>> = {
  'jetstream/lib/internal_mod.js': hookJetstream,
  'kv/lib/internal_mod.js': hookKv,
  'obj/lib/internal_mod.js': hookObjectStore,
  'services/lib/service.js': hookServices,
}

// The packages are CommonJS, so that whoever imports them, and by which way, finds the one instance in this cache.
// The path that createRequire asks for does not matter to it.
const loadedModules = createRequire(process.execPath).cache
const clientModule = /[\\/]@nats-io[\\/]([a-z-]+[\\/]lib[\\/][a-z_]+\.js)$/
const done = new Set<string>()

/**
 * Hooks the classes of the client's packages that are loaded by now, each copy once, so that what is made of them on a
 * traced connection is traced, and on any other connection is not. Nothing is loaded for it.
 */
export function hookLoadedClasses(): void {
  for (const path of Object.keys(loadedModules)) {
    if (done.has(path)) continue
    const hook = hooks[clientModule.exec(path)?.[1]?.replaceAll('\\', '/') ?? '']
    if (hook === undefined) continue
    const module = loadedModules[path]
    // One that is being loaded has not all of its exports yet.
    if (module?.loaded !== true) continue
    done.add(path)
    try {
      hook(module.exports)
    } catch {
      // Another version with other classes: it stays untraced.
    }
  }
}
