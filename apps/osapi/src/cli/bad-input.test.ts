import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  type AnsweringServer,
  createWorkspace,
  type Finished,
  runOsapi,
  startAnswering,
  type Workspace,
} from './testing/run-osapi.ts'

const signingKey = 'a-signing-key-of-a-fair-length-0123456789'

describe('bad input', () => {
  let workspace: Workspace
  let server: AnsweringServer
  let config: string

  before(async () => {
    workspace = createWorkspace()
    server = await startAnswering({
      'GET /api/job/3f0f0a52-7d2f-4c7b-8a77-0d6a3c0a6d4e': {
        status: 404,
        body: { error: 'job not found: 3f0f0a52-7d2f-4c7b-8a77-0d6a3c0a6d4e' },
      },
      'GET /api/node/_any/uptime': { status: 500, body: { error: 'job failed: no such file' } },
      'GET /api/node/_any/load': { body: '<html>' },
      'GET /api/node/_any/os': { status: 502, body: '<html>bad gateway</html>' },
    })
    config = workspace.file(
      'osapi.yaml',
      `controller:
  client: { url: "${server.url}", security: { bearer_token: some-token } }
  api: { security: { signing_key: ${signingKey}, roles: { operator: { permissions: ["node:read"] } } } }
`,
    )
  })

  after(async () => {
    workspace.remove()
    await server.close()
  })

  const osapi = (...args: string[]): Promise<Finished> => runOsapi(['-f', config, ...args])

  it('an unknown command shows the usage of its group', async () => {
    assertUsage(await osapi('clyent'), 'unknown command "clyent" for "osapi"')
    assertUsage(await osapi('client', 'node', 'hostnam'), 'unknown command "hostnam" for "osapi client node"')
    assertUsage(
      await osapi('client', 'node', 'hostname', 'put'),
      'unknown command "put" for "osapi client node hostname"',
    )
  })

  it('an unknown flag shows the usage', async () => {
    assertUsage(await osapi('client', 'node', 'hostname', '--colour'), 'unknown flag: --colour')
    assertUsage(await osapi('--colour'), 'unknown flag: --colour')
  })

  it('a missing required flag is named', async () => {
    assertUsage(await osapi('client', 'job', 'get'), 'required flag(s) "job-id" not set')
    assertUsage(await osapi('token', 'generate'), 'required flag(s) "roles", "subject" not set')
    assertUsage(
      await osapi('client', 'node', 'network', 'dns', 'update'),
      'required flag(s) "interface-name" not set',
    )
  })

  it('a number that is none is refused', async () => {
    const finished = await osapi('client', 'job', 'list', '--limit', 'ten')
    assert.match(
      finished.stderr,
      /^Error: option '--limit <count>' argument 'ten' is invalid\. It must be an integer\./u,
    )
    assert.equal(finished.code, 1)
  })

  it('a configuration file that is missing or no YAML stops every command', async () => {
    const missing = await runOsapi(['-f', workspace.path('nowhere.yaml'), 'client', 'node', 'hostname'])
    assertLog(missing, /ERR failed to read config: ENOENT/u)
    const file = workspace.file('broken.yaml', '{')
    assertLog(await runOsapi(['client', 'health', '-f', file]), /ERR failed to read config: /u)
  })

  it('a configuration that is invalid is named by its key', async () => {
    const empty = workspace.file('empty.yaml', '')
    assertLog(
      await runOsapi(['client', 'health', '-f', empty]),
      /ERR .*controller\.client\.security\.bearer_token/u,
    )
    const tokens = await runOsapi(['token', 'generate', '-r', 'read', '-u', 'ada', '-f', empty])
    assertLog(tokens, /ERR .*controller\.api\.security\.signing_key/u)
    const port = workspace.file('port.yaml', 'controller: { api: { port: 70000 } }')
    assertLog(await runOsapi(['client', 'health', '-f', port]), /ERR .*controller\.api\.port: 70000/u)
  })

  it('a server does not start without its key, nor with an exporter that it does not know', async () => {
    const empty = workspace.file('server.yaml', '')
    for (const start of [['start'], ['api', 'server', 'start'], ['controller', 'start', '-p', '0']]) {
      assertLog(await runOsapi([...start, '-f', empty]), /FTL .*controller\.api\.security\.signing_key/u)
    }
    for (const start of [
      ['job', 'worker', 'start'],
      ['node', 'agent', 'start'],
      ['agent', 'start'],
    ]) {
      const finished = await runOsapi([...start, '-f', empty], {
        IGNORE_LINUX: '1',
        OSAPI_TELEMETRY_TRACING_ENABLED: 'true',
        OSAPI_TELEMETRY_TRACING_EXPORTER: 'zipkin',
      })
      assertLog(finished, /FTL .*unsupported tracing exporter: \\"zipkin\\"/u)
    }
  })

  it('a flag of a server is checked like the key of the configuration that it sets', async () => {
    assertLog(await osapi('api', 'server', 'start', '--port', '70000'), /FTL .*controller\.api\.port: /u)
    assertLog(await osapi('agent', 'start', '--worker-port', '0x'), /FTL .*agent\.nats\.port: /u)
    assertLog(await osapi('agent', 'start', '--agent-max-jobs', '0'), /FTL .*agent\.max_jobs: /u)
    assertLog(
      await osapi('agent', 'start', '--consumer-ack-wait', 'soon'),
      /FTL .*agent\.consumer\.ack_wait: /u,
    )
    assertLog(
      await osapi('agent', 'start', '--consumer-back-off', '1s,x'),
      /FTL .*agent\.consumer\.back_off: /u,
    )
  })

  it('an unknown exporter stops the start of tracing', async () => {
    const finished = await runOsapi(['-f', config, 'client', 'health'], {
      OSAPI_TELEMETRY_TRACING_ENABLED: 'true',
      OSAPI_TELEMETRY_TRACING_EXPORTER: 'zipkin',
    })
    assertLog(finished, /ERR unsupported tracing exporter: "zipkin"/u)
  })

  it('a refusal of the API is told with its status and text', async () => {
    const id = '3f0f0a52-7d2f-4c7b-8a77-0d6a3c0a6d4e'
    assertLog(
      await osapi('client', 'job', 'get', '--job-id', id),
      new RegExp(`ERR api error code=404 error="job not found: ${id}"`, 'u'),
    )
    assertLog(
      await osapi('client', 'node', 'uptime'),
      /ERR api error code=500 error="job failed: no such file"/u,
    )
  })

  it('an API that is not there, or does not speak JSON, is an unexpected error', async () => {
    const away = await osapi('client', '--url', 'http://127.0.0.1:1', 'health')
    assertLog(away, /ERR unexpected error error="connect ECONNREFUSED 127\.0\.0\.1:1"/u)
    assertLog(
      await osapi('client', 'node', 'load'),
      /ERR unexpected error error=".* did not answer with JSON"/u,
    )
    assertLog(
      await osapi('client', 'node', 'os'),
      /ERR api error code=502 error="<html>bad gateway<\/html>"/u,
    )
    assertLog(
      await osapi('client', 'health', '--url', 'localhost'),
      /ERR unexpected error error="invalid API url /u,
    )
  })

  it('a token for an unknown role is not made', async () => {
    const finished = await osapi('token', 'generate', '-r', 'read,X', '-u', 'ada')
    assertLog(finished, /ERR invalid roles \[read, X\]: unsupported role: X/u)
  })

  it('a token that is bad is told to be', async () => {
    assertLog(await osapi('token', 'validate', '-t', 'x.y.z'), /ERR invalid token: /u)
  })

  it('a file for a job that is missing or not JSON is named', async () => {
    const add = ['client', 'job', 'add', '--target-hostname', '_any', '--json-file']
    assertLog(
      await osapi(...add, workspace.path('nowhere.json')),
      /ERR failed to read .*nowhere\.json: ENOENT/u,
    )
    const file = workspace.file('job.json', '{"type":')
    assertLog(await osapi(...add, file), /ERR .*job\.json is not JSON: /u)
  })

  it('logs are JSON lines with --json', async () => {
    const finished = await osapi('client', 'node', 'uptime', '--json')
    const record = JSON.parse(finished.stderr) as Record<string, unknown>
    assert.deepEqual(
      { ...record, time: '' },
      { time: '', level: 'ERROR', msg: 'api error', code: 500, error: 'job failed: no such file' },
    )
    assert.equal(finished.code, 1)
  })
})

describe('help', () => {
  it('of a group is shown when it is named alone, and is no error', async () => {
    for (const args of [[], ['client'], ['client', 'node'], ['client', 'node', '--help']]) {
      const finished = await runOsapi(args)
      assert.match(finished.stdout, /^Usage: osapi/u)
      assert.equal(finished.stderr, '')
      assert.equal(finished.code, 0)
    }
  })

  it('is not needed for the version, nor is a configuration', async () => {
    const finished = await runOsapi(['version'])
    const version = JSON.parse(finished.stdout) as Record<string, unknown>
    assert.deepEqual(Object.keys(version), ['version', 'commit', 'date', 'node', 'platform'])
    assert.equal(finished.code, 0)
  })
})

function assertUsage(finished: Finished, message: string): void {
  assert.equal(finished.stderr.split('\n')[0], `Error: ${message}`)
  assert.match(finished.stderr, /^Usage: osapi/mu)
  assert.equal(finished.stdout, '')
  assert.equal(finished.code, 1)
}

function assertLog(finished: Finished, message: RegExp): void {
  const lines = finished.stderr.trim().split('\n')
  assert.equal(lines.length, 1, finished.stderr)
  assert.match(lines[0] ?? '', message)
  assert.equal(finished.stdout, '')
  assert.equal(finished.code, 1)
}
