import { type ChildProcess, spawn } from 'node:child_process'
import { appendFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { NatsServerError } from './errors.ts'
import { readServerInfo } from './server-info.ts'

export interface ProcessOptions {
  readonly binary: string
  readonly args: readonly string[]
  readonly host: string
  /** Where the server writes its ports file. */
  readonly portsDir: string
  readonly log: string | ((line: string) => void) | undefined
  readonly readyTimeoutMs: number
}

/** One run of the executable that has become ready. */
export interface ServerProcess {
  readonly pid: number
  readonly port: number
  readonly monitoringPort: number | undefined
  readonly exited: Promise<void>
  signal(signal: NodeJS.Signals): void
  /** Resolves when the process is gone; sends SIGKILL after `timeoutMs`. */
  end(signal: NodeJS.Signals, timeoutMs: number): Promise<void>
}

/** Runs the executable and resolves when it answers clients; kills it and rejects with `start_failed` otherwise. */
export async function startProcess(options: ProcessOptions): Promise<ServerProcess> {
  // Its own process group: Ctrl-C in a terminal goes to this process alone, which decides when the server ends.
  const child = spawn(options.binary, options.args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  const logTail = forwardLog(child, options.log)
  const exited = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      logTail.push(error.message)
      resolve()
    })
    child.once('close', () => resolve())
  })
  const { pid } = child
  if (pid === undefined) {
    await exited
    throw new NatsServerError('start_failed', `${options.binary} cannot be run: ${logTail.join('\n')}`)
  }
  const disarm = endWithParent(pid)
  void exited.then(disarm)
  try {
    const ports = await waitUntilReady(options, pid, exited)
    return { pid, ...ports, exited, signal: (signal) => child.kill(signal), end: endOf(child, exited) }
  } catch (error) {
    await endOf(child, exited)('SIGKILL', options.readyTimeoutMs)
    const reason = error instanceof Error ? error.message : String(error)
    // Its last words say why, where it has any; else whatever it logged must do.
    const lastWords = logTail.findLast((line) => line.includes('[FTL]'))?.replace(/^.*\[FTL\] /u, '')
    const said = lastWords === undefined ? [reason, ...logTail] : [lastWords]
    throw new NatsServerError('start_failed', `nats-server did not start: ${said.join('\n')}`, {
      cause: error,
    })
  }
}

function endOf(child: ChildProcess, exited: Promise<void>): ServerProcess['end'] {
  return async (signal, timeoutMs) => {
    child.kill(signal)
    const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs)
    await exited
    clearTimeout(timer)
  }
}

/**
 * The server ends with this process, even when this process is killed and can run no code: a shell waits for the end of
 * a pipe that only we hold open, then ends the server. Returns the function that calls it off.
 */
function endWithParent(pid: number): () => void {
  const script = `read -r _; kill -TERM ${pid} && sleep 5 && kill -KILL ${pid}`
  const guard = spawn('/bin/sh', ['-c', script], { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
  guard.on('error', () => {})
  guard.unref()
  return () => guard.kill('SIGKILL')
}

const logTailLinesMax = 20

/** Hands every line on and keeps the last ones for an error message. */
function forwardLog(child: ChildProcess, log: ProcessOptions['log']): string[] {
  const tail: string[] = []
  for (const stream of [child.stdout, child.stderr]) {
    if (stream === null) continue
    createInterface({ input: stream }).on('line', (line) => {
      tail.push(line)
      if (tail.length > logTailLinesMax) tail.shift()
      if (typeof log === 'function') log(line)
      else if (log !== undefined) appendFileSync(log, `${line}\n`)
    })
  }
  return tail
}

interface Ports {
  readonly port: number
  readonly monitoringPort: number | undefined
}

/** The server writes its ports file once it listens; a client's connection then proves that it answers. */
async function waitUntilReady(options: ProcessOptions, pid: number, exited: Promise<void>): Promise<Ports> {
  let gone = false
  void exited.then(() => (gone = true))
  const deadline = Date.now() + options.readyTimeoutMs
  while (Date.now() < deadline) {
    if (gone) throw new NatsServerError('start_failed', 'it ended at once')
    const ports = await readPorts(join(options.portsDir, `nats-server_${pid}.ports`))
    if (ports !== undefined) {
      await readServerInfo({ host: options.host, port: ports.port, timeoutMs: options.readyTimeoutMs })
      return ports
    }
    await delay(pollDelayMs)
  }
  throw new NatsServerError('start_failed', `not ready within ${options.readyTimeoutMs} ms`)
}

const pollDelayMs = 10

async function readPorts(file: string): Promise<Ports | undefined> {
  try {
    const ports = JSON.parse(await readFile(file, 'utf8')) as { nats?: string[]; monitoring?: string[] }
    const port = portOf(ports.nats?.[0])
    return port === undefined ? undefined : { port, monitoringPort: portOf(ports.monitoring?.[0]) }
  } catch {
    // Not written yet, or half of it.
    return undefined
  }
}

function portOf(url: string | undefined): number | undefined {
  const match = /:(\d+)$/.exec(url ?? '')
  return match === null ? undefined : Number(match[1])
}
