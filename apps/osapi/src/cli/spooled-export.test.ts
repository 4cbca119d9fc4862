import assert from 'node:assert/strict'
import { readdirSync, statSync } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { type Collector, startCollector } from './testing/collector.ts'
import {
  type AnsweringServer,
  createWorkspace,
  type Finished,
  runOsapi,
  startAnswering,
  type Workspace,
} from './testing/run-osapi.ts'

const jobId = '550e8400-e29b-41d4-a716-446655440000'

/** The flusher is nobody's child, so that its work is seen by what arrives and what is left. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await setTimeout(20)
}

/** Of all commands that used this state folder; empty again when all is delivered. */
function tracesFolder(stateDir: string): string {
  const [name, ...others] = readdirSync(join(stateDir, 'osapi', 'spool'))
  assert.ok(name !== undefined && others.length === 0, 'one folder for one collector')
  return join(stateDir, 'osapi', 'spool', name, 'traces')
}

const withoutIds = ({ code, stdout, stderr }: Finished): object => ({
  code,
  stdout,
  stderr: stderr.replaceAll(/(time|trace_id|span_id)=\S+|^\S+ /gu, ''),
})

describe('spans of a command, by way of a folder', () => {
  let workspace: Workspace
  let server: AnsweringServer
  let config: string

  before(async () => {
    workspace = createWorkspace()
    server = await startAnswering({
      'GET /api/node/web-01/hostname': {
        body: { job_id: jobId, results: [{ hostname: 'web-01', status: 'ok' }] },
      },
      'GET /api/node/_any/os': { status: 500, body: { error: 'job failed: no such file' } },
    })
    config = workspace.file(
      'osapi.yaml',
      `controller: { client: { url: "${server.url}", security: { bearer_token: t } }, api: { security: { signing_key: ${'k'.repeat(32)} } } }`,
    )
  })

  after(async () => {
    workspace.remove()
    await server.close()
  })

  const run = (args: readonly string[], endpoint: string, env: Record<string, string>): Promise<Finished> =>
    runOsapi(['-f', config, 'client', 'node', ...args], {
      OSAPI_TELEMETRY_TRACING_ENABLED: 'true',
      OSAPI_TELEMETRY_TRACING_EXPORTER: 'otlp',
      OSAPI_TELEMETRY_TRACING_OTLP_ENDPOINT: endpoint,
      OSAPI_TELEMETRY_TRACING_OTLP_PROTOCOL: 'http/protobuf',
      ...env,
    })

  const commands = [['hostname', '-T', 'web-01'], ['os']] as const
  for (const args of commands)
    it(`arrive after ${args[0]} has ended, whose output and exit code are as without`, async () => {
      const collector: Collector = await startCollector()
      const stateDir = workspace.path(`state-${args[0]}`)
      const spooled = await run(args, collector.url, {
        OSAPI_TELEMETRY_TRACING_SPOOL_DIR: '',
        XDG_STATE_HOME: stateDir,
      })
      await until(() => collector.spans.length >= 2)
      const [root] = collector.spans.filter(({ parentSpanId }) => parentSpanId === '')
      assert.equal(root?.name, `osapi client node ${args[0]}`)
      assert.equal(root.attributes['process.exit.code'], spooled.code)
      const folder = tracesFolder(stateDir)
      assert.equal(statSync(folder).mode & 0o777, 0o700)
      await until(() => readdirSync(folder).length === 0)
      const waiting = await run(args, collector.url, { OSAPI_TELEMETRY_TRACING_SPOOL_DIR: 'off' })
      assert.deepEqual(withoutIds(spooled), withoutIds(waiting))
      await collector.close()
    })

  it('do not keep the command waiting for a collector that does not answer', async () => {
    const held: ServerResponse[] = []
    let answer = (response: ServerResponse): unknown => held.push(response)
    const collector = createServer((request, response) => {
      request.resume().on('end', () => answer(response))
    })
    await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve))
    const endpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`
    const spoolDir = workspace.path('slow')
    const env = { OSAPI_TELEMETRY_TRACING_SPOOL_DIR: spoolDir }
    const finished = await run(['hostname', '-T', 'web-01'], endpoint, env)
    assert.deepEqual([finished.code, finished.stderr], [0, ''])
    // Nobody has been answered yet.
    await until(() => held.length > 0)
    assert.ok(readdirSync(join(spoolDir, 'traces')).some((name) => name.startsWith('a-')))
    answer = (response) => response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end()
    for (const response of held) answer(response)
    await until(() => readdirSync(join(spoolDir, 'traces')).length === 0)
    collector.close()
  })
})
