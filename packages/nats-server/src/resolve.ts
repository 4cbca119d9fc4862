import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fetchDebianPackage } from './debian.ts'
import { NatsServerError } from './errors.ts'

/** Where to look for nats-server. */
export interface ResolveOptions {
  /** Path of a nats-server executable to use. NATS_URL still goes first. */
  readonly binary?: string
  /** Where NATS_URL and PATH are read. Default: process.env. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Folder of fetched executables. Default: .cache/nats-server of the enclosing project, else of the home directory. */
  readonly cacheDir?: string
  /** Folders searched after PATH; Debian puts nats-server in /usr/sbin, which an ordinary user's PATH lacks. */
  readonly systemDirs?: readonly string[]
  /** False never downloads anything. Default: true. */
  readonly fetch?: boolean
  /** Gets a line of progress while a package is fetched. Default: standard error. */
  readonly onProgress?: (line: string) => void
}

/** An external server that is already running, or an executable and where it was found. */
export type ResolvedNatsServer =
  | { readonly kind: 'external'; readonly url: string }
  | { readonly kind: 'binary'; readonly path: string; readonly source: BinarySource }

/** Where an executable was found. */
export type BinarySource = 'option' | 'path' | 'cache' | 'debian'

const systemDirsDefault = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']

/**
 * Finds the real nats-server. In this order: NATS_URL (nothing is started), `binary`, PATH and the system folders, the
 * cache, Debian's package fetched into the cache. Rejects with NatsServerError `not_found`, which says how to get one,
 * or `invalid_option` when `binary` cannot be executed.
 */
export async function resolveNatsServer(options: ResolveOptions = {}): Promise<ResolvedNatsServer> {
  const env = options.env ?? process.env
  const url = env['NATS_URL']?.trim()
  if (url) return { kind: 'external', url }
  if (options.binary !== undefined) {
    if (isExecutable(options.binary)) return { kind: 'binary', path: options.binary, source: 'option' }
    throw new NatsServerError('invalid_option', `binary: "${options.binary}" is not an executable file`)
  }
  const searchDirs = [...pathDirs(env['PATH']), ...(options.systemDirs ?? systemDirsDefault)]
  const onPath = findExecutable('nats-server', searchDirs)
  if (onPath !== undefined) return { kind: 'binary', path: onPath, source: 'path' }

  const cacheDir = options.cacheDir ?? projectCacheDir(process.cwd())
  const cached = join(cacheDir, 'nats-server')
  if (isExecutable(cached)) return { kind: 'binary', path: cached, source: 'cache' }

  const failure = await fetchInto(cached, searchDirs, options)
  if (failure === undefined) return { kind: 'binary', path: cached, source: 'debian' }
  throw new NatsServerError('not_found', notFoundMessage(searchDirs, cacheDir, failure))
}

async function fetchInto(
  target: string,
  searchDirs: readonly string[],
  options: ResolveOptions,
): Promise<string | undefined> {
  if (options.fetch === false) return 'fetching is switched off'
  const aptGet = findExecutable('apt-get', searchDirs)
  const dpkgDeb = findExecutable('dpkg-deb', searchDirs)
  if (aptGet === undefined || dpkgDeb === undefined) {
    return 'no apt-get and dpkg-deb here to fetch the Debian package with'
  }
  const onProgress = options.onProgress ?? ((line: string) => process.stderr.write(`${line}\n`))
  try {
    await fetchDebianPackage({ aptGet, dpkgDeb, target, onProgress })
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

function notFoundMessage(searchDirs: readonly string[], cacheDir: string, failure: string): string {
  return [
    'nats-server was not found. Do one of:',
    '  - install it: apt-get install nats-server, brew install nats-server, or https://github.com/nats-io/nats-server/releases',
    '  - give its path: the option "binary"',
    '  - use a running one: NATS_URL=nats://host:4222',
    `Looked in: ${[...new Set(searchDirs)].join(', ') || 'no folder'}; then in ${cacheDir}; then: ${failure}.`,
  ].join('\n')
}

/** .cache/nats-server beside the nearest package-lock.json or .git above `from`, else in the home directory. */
function projectCacheDir(from: string): string {
  for (let dir = from; ; dir = dirname(dir)) {
    if (existsSync(join(dir, 'package-lock.json')) || existsSync(join(dir, '.git'))) {
      return join(dir, '.cache', 'nats-server')
    }
    if (dirname(dir) === dir) return join(homedir(), '.cache', 'throughline', 'nats-server')
  }
}

function pathDirs(path: string | undefined): string[] {
  return (path ?? '').split(delimiter).filter((dir) => dir !== '')
}

function findExecutable(name: string, dirs: readonly string[]): string | undefined {
  return dirs.map((dir) => join(dir, name)).find(isExecutable)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}
