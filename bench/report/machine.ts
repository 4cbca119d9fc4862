import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { cpus, loadavg, totalmem } from 'node:os'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Machine } from './results.ts'

const require = createRequire(import.meta.url)
const resultsFolder = fileURLToPath(new URL('../../results/', import.meta.url))

export function machine(): Machine {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    coreCount: cpus().length,
    memoryGib: Math.round(totalmem() / 2 ** 30),
    loadAverageAtStart: Number((loadavg()[0] ?? 0).toFixed(2)),
  }
}

export function versionsOf(names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, versionOf(name)]))
}

function versionOf(name: string): string {
  return (JSON.parse(readFileSync(manifestOf(name), 'utf8')) as { version: string }).version
}

/** Not every package exports its manifest. */
function manifestOf(name: string): string {
  try {
    return require.resolve(`${name}/package.json`)
  } catch {
    const path = require.resolve(name)
    return resolve(path.slice(0, path.lastIndexOf(name) + name.length), 'package.json')
  }
}

/** `file` is a name in bench/results, or a path. */
export function writeResult(file: string, result: object): void {
  const path = file.includes('/') ? resolve(file) : resolve(resultsFolder, file)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, `${JSON.stringify(result, null, 2)}\n`)
  console.error(`written: ${path}`)
}
