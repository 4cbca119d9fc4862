// Lets the suite's files find the published packages: its tests import the sources beside them.

import { existsSync } from 'node:fs'
import * as nodeModule from 'node:module'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

interface Resolved {
  readonly url: string
  readonly shortCircuit?: boolean
}
type Resolve = (
  specifier: string,
  context: { readonly parentURL?: string },
  next: (specifier: string, context?: unknown) => Resolved,
) => Resolved

/** In Node since 22.15; not in the types of the oldest Node that the project supports. */
const { registerHooks } = nodeModule as unknown as {
  readonly registerHooks: (hooks: { resolve: Resolve }) => void
}

const packages: Readonly<Record<string, string>> = {
  core: 'nats-core',
  jetstream: 'jetstream',
  kv: 'kv',
  obj: 'obj',
  services: 'services',
}

function beside(file: string): Resolved {
  return { url: new URL(file, import.meta.url).href, shortCircuit: true }
}

const here = nodeModule.createRequire(import.meta.url)

/** `<clone>/core/src/nats.ts` is `lib/nats.js` of @nats-io/nats-core. */
function publishedFile(clone: string, path: string): string | undefined {
  if (!path.startsWith(clone)) return undefined
  const [, folder = '', source = ''] = /^\/([a-z]+)\/src\/(.+)\.ts$/.exec(path.slice(clone.length)) ?? []
  const name = packages[folder]
  return name === undefined ? undefined : join(here.resolve(`@nats-io/${name}`), '..', `${source}.js`)
}

function file(path: string): Resolved {
  return { url: pathToFileURL(path).href, shortCircuit: true }
}

/** `clone` is the folder of the suite. */
export function resolveToPackages(clone: string): void {
  registerHooks({
    resolve(specifier, context, next) {
      const parent = context.parentURL?.startsWith('file:') ? fileURLToPath(context.parentURL) : ''
      if (!parent.startsWith(clone)) return next(specifier, context)
      const [folder = ''] = parent.slice(clone.length + 1).split('/')
      if (specifier === '@std/assert' || specifier === '@std/bytes') return beside('./asserts.js')
      if (specifier === '@nats-io/transport-deno') return beside('./transport.js')
      if (specifier === 'nst') return file(join(clone, folder, 'tests/nst.ts'))
      const published = publishedFile(clone, new URL(specifier, context.parentURL).pathname)
      // A source that the published package lacks is one that the suite is ahead of.
      if (published !== undefined && existsSync(published)) return file(published)
      if (!specifier.startsWith('@nats-io/') || specifier === '@nats-io/jwt') return next(specifier, context)
      return file(here.resolve(specifier))
    },
  })
}
