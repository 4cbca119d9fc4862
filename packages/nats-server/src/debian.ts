import { spawn } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { NatsServerError } from './errors.ts'

export interface FetchDebianOptions {
  readonly aptGet: string
  readonly dpkgDeb: string
  /** Where the executable ends up; its folder is made. */
  readonly target: string
  readonly onProgress: (line: string) => void
}

/**
 * Downloads Debian's nats-server package and unpacks its executable to `target`, without installing anything: no root
 * rights needed, nothing outside the target's folder is written. Several processes may do this at once: the last step
 * is a rename.
 */
export async function fetchDebianPackage(options: FetchDebianOptions): Promise<void> {
  const cacheDir = dirname(options.target)
  await mkdir(cacheDir, { recursive: true })
  const workDir = await mkdtemp(join(cacheDir, 'fetch-'))
  try {
    options.onProgress('nats-server: fetching the Debian package')
    const archive = await download(options, workDir)
    await run(options.dpkgDeb, ['-x', archive, join(workDir, 'root')], workDir)
    const unpacked = join(workDir, basename(options.target))
    await copyFile(join(workDir, 'root', 'usr', 'sbin', 'nats-server'), unpacked)
    const version = await run(unpacked, ['--version'], workDir)
    await rename(unpacked, options.target)
    options.onProgress(`${version.trim()} is now at ${options.target}`)
  } finally {
    await rm(workDir, { recursive: true, force: true })
  }
}

async function download(options: FetchDebianOptions, workDir: string): Promise<string> {
  try {
    await run(options.aptGet, ['download', 'nats-server'], workDir)
  } catch {
    // No package lists on this machine, or stale ones. They are fetched into the work folder, since those of the system
    // belong to root and may be locked by another apt.
    options.onProgress('nats-server: fetching the package lists first')
    await mkdir(join(workDir, 'lists', 'partial'), { recursive: true })
    await mkdir(join(workDir, 'cache', 'archives', 'partial'), { recursive: true })
    const own = [
      '-o',
      `Dir::State::lists=${join(workDir, 'lists')}`,
      '-o',
      `Dir::Cache=${join(workDir, 'cache')}`,
    ]
    await run(options.aptGet, [...own, 'update'], workDir)
    await run(options.aptGet, [...own, 'download', 'nats-server'], workDir)
  }
  const archive = (await readdir(workDir)).find((name) => name.endsWith('.deb'))
  if (archive === undefined) throw new NatsServerError('fetch_failed', 'apt-get download left no .deb file')
  return join(workDir, archive)
}

/** Resolves with the standard output; rejects with the last lines of the error output. */
function run(command: string, args: readonly string[], cwd: string): Promise<string> {
  return new Promise((resolve, reject) => {
    // apt-get calls its helpers by name, and the caller's PATH may be empty.
    const env = {
      ...process.env,
      PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/usr/bin:/sbin:/bin`,
      LC_ALL: 'C',
    }
    const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    let errors = ''
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (errors = (errors + chunk.toString()).slice(-2000)))
    child.on('error', (cause) =>
      reject(new NatsServerError('fetch_failed', `${command}: ${cause.message}`, { cause })),
    )
    child.on('close', (status) => {
      if (status === 0) return resolve(output)
      const reason = `${basename(command)} ${args.at(-2) ?? ''} ${args.at(-1) ?? ''} failed (${status}): ${errors.trim()}`
      reject(new NatsServerError('fetch_failed', reason))
    })
  })
}
