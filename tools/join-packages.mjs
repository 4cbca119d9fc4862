// Joins the compiled files of each package below into one, dist/bundle.js, which is what the package's `exports` name:
// Node needs about half a millisecond for each file of a program, and tracing is loaded by all of them (RATIONALE.md).
// tsc stays the compiler: what is joined is its output, and source maps lead back to the TypeScript.
// Usage, after `tsc -b`: node tools/join-packages.mjs
import { existsSync, readFileSync, statSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'

const root = fileURLToPath(new URL('..', import.meta.url))
const joined = ['trace', 'otlp', 'spool', 'exporter', 'http', 'cloudevents', 'logs', 'nats', 'node']

await Promise.all(joined.map((name) => joinPackage(join(root, 'packages', name, 'dist'))))

async function joinPackage(dist) {
  if (await isCurrent(dist)) return
  const bundle = await rolldown({
    input: join(dist, 'index.js'),
    platform: 'node',
    // Other packages stay imports: each exists once in a process, however many packages use it.
    external: (id) => !id.startsWith('.') && !id.startsWith('/'),
    plugins: [{ name: 'tsc-source-maps', load: withSourceMap }],
  })
  await bundle.write({
    file: join(dist, 'bundle.js'),
    format: 'esm',
    sourcemap: true,
    codeSplitting: false,
  })
  await bundle.close()
}

function withSourceMap(id) {
  if (!existsSync(`${id}.map`)) return null
  return { code: readFileSync(id, 'utf8'), map: readFileSync(`${id}.map`, 'utf8') }
}

/** True when no compiled file is newer than the joined one. */
async function isCurrent(dist) {
  const bundlePath = join(dist, 'bundle.js')
  if (!existsSync(bundlePath)) return false
  const joinedAtMs = statSync(bundlePath).mtimeMs
  if (statSync(fileURLToPath(import.meta.url)).mtimeMs > joinedAtMs) return false
  const files = await readdir(dist, { recursive: true })
  return files.every((file) => !file.endsWith('.js') || statSync(join(dist, file)).mtimeMs <= joinedAtMs)
}
