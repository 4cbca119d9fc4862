import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const bin: string = fileURLToPath(new URL('../../bin.js', import.meta.url))

export interface Finished {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs `osapi` as a user does, without this process's OSAPI, OTEL and TRACEPARENT environment. */
export function runOsapi(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Finished> {
  return startOsapi(args, env).finished
}

export interface Started {
  readonly process: ChildProcess
  readonly finished: Promise<Finished>
}

export function startOsapi(args: readonly string[], env: Readonly<Record<string, string>> = {}): Started {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(OSAPI|OTEL|TRACE)/u.test(name))
  const child = spawn(process.execPath, [bin, ...args], {
    // What a test waits for arrives before the command ends, and nothing is left in the user's folders.
    env: { ...Object.fromEntries(inherited), OSAPI_TELEMETRY_TRACING_SPOOL_DIR: 'off', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    stdout += chunk
  })
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk
  })
  const finished = new Promise<Finished>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, stdout, stderr }))
  })
  return { process: child, finished }
}

/** A folder for a test's files. */
export interface Workspace {
  file(name: string, content: string): string
  path(name: string): string
  remove(): void
}

export function createWorkspace(): Workspace {
  const folder = mkdtempSync(join(tmpdir(), 'osapi-cli-'))
  return {
    path: (name) => join(folder, name),
    file: (name, content) => {
      const path = join(folder, name)
      writeFileSync(path, content)
      return path
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

export interface Reply {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  /** Text, or anything else as JSON. */
  readonly body?: unknown
  /** Called when the request is there; the answer waits for it. */
  readonly before?: () => Promise<void>
}

export interface SeenRequest {
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

/** An HTTP server that gives these answers, by `METHOD /path`, and remembers what it was asked. */
export interface AnsweringServer {
  readonly url: string
  readonly seen: readonly SeenRequest[]
  close(): Promise<void>
}

export async function startAnswering(
  replies: Readonly<Record<string, Reply | Reply[]>>,
): Promise<AnsweringServer> {
  const seen: SeenRequest[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { method = '', url = '', headers } = request
      seen.push({ method, url, headers, body: Buffer.concat(chunks).toString() })
      const found = replies[`${method} ${url.split('?', 1)[0]}`]
      const reply = Array.isArray(found) ? (found.length > 1 ? found.shift() : found[0]) : found
      const isReady = reply?.before?.() ?? Promise.resolve()
      void isReady.then(() =>
        answer(response, reply ?? { status: 404, body: { error: `nothing at ${url}` } }),
      )
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { url: `http://127.0.0.1:${portOf(server)}`, seen, close: () => closed(server) }
}

function answer(response: ServerResponse, { status = 200, headers = {}, body }: Reply): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(typeof body === 'string' || body === undefined ? body : JSON.stringify(body))
}

function portOf(server: Server): number {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('not listening on a port')
  return address.port
}

function closed(server: Server): Promise<void> {
  server.closeAllConnections()
  return new Promise((resolve, reject) => server.close((error) => (error ? reject(error) : resolve())))
}
