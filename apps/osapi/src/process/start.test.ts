import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  createWorkspace,
  runOsapi,
  type Started,
  startOsapi,
  type Workspace,
} from '../cli/testing/run-osapi.ts'

const signingKey = '0123456789abcdef0123456789abcdef'

/** Resolves with the text so far once it has what is looked for; rejects when the program ends before. */
function logged({ process: child, finished }: Started, pattern: RegExp): Promise<RegExpExecArray> {
  return new Promise((resolve, reject) => {
    let text = ''
    child.stderr?.on('data', (chunk: string) => {
      text += chunk
      const found = pattern.exec(text)
      if (found !== null) resolve(found)
    })
    void finished.then(({ code }) => reject(new Error(`ended with ${code}: ${text}`)), reject)
  })
}

describe('osapi start', () => {
  let workspace: Workspace
  let config: string

  before(() => {
    workspace = createWorkspace()
    const metrics = { port: 0 }
    config = workspace.file(
      'osapi.yaml',
      JSON.stringify({
        controller: {
          api: { port: 0, security: { signing_key: signingKey } },
          nats: { host: '127.0.0.1' },
          metrics,
        },
        nats: { server: { host: '127.0.0.1', port: 0, store_dir: workspace.path('jetstream'), metrics } },
        agent: { nats: { host: '127.0.0.1' }, hostname: 'web-01', machine_id: 'machine-01', metrics },
      }),
    )
  })
  after(() => workspace.remove())

  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    it(`answers commands, and at ${signal} ends with 0, NATS last`, async () => {
      const started = startOsapi(['start', '-f', config])
      const listening = logged(started, /api server listening port=(\d+)/u)
      await logged(started, /node agent started successfully/u)
      const [, port] = await listening
      const token = await runOsapi(['token', 'generate', '-r', 'admin', '-u', 'test', '-j', '-f', config])
      const answer = await runOsapi(['client', 'node', 'load', '-T', 'web-01', '-j', '-f', config], {
        OSAPI_CONTROLLER_CLIENT_URL: `http://127.0.0.1:${port}`,
        OSAPI_CONTROLLER_CLIENT_SECURITY_BEARER_TOKEN: (JSON.parse(token.stdout) as { token: string }).token,
      })
      assert.equal(answer.code, 0, answer.stderr)
      assert.match(answer.stdout, /"hostname":"web-01".*"status":"ok"/u)

      started.process.kill(signal)
      const { code, stderr } = await started.finished
      assert.equal(code, 0, stderr)
      const lines = [...stderr.matchAll(/(?:INF|WRN|ERR) (.+)$/gmu)].map(([, text]) => text)
      const order = lines.filter((line) => /(?:started successfully|stopped gracefully)$/u.test(line ?? ''))
      assert.deepEqual(order.slice(0, 3), [
        'nats server started successfully',
        'api server started successfully',
        'node agent started successfully',
      ])
      assert.deepEqual(
        new Set(order.slice(3, 5)),
        new Set(['api server stopped gracefully', 'node agent stopped gracefully']),
      )
      assert.deepEqual(order.slice(5), ['nats server stopped gracefully'])
    })
  }

  // With the bug the process stays for the minute that the request may take; the limit of the test ends that.
  it('an API server ends although a request whose client has gone still waits', {
    timeout: 30_000,
  }, async () => {
    const nats = startOsapi(['nats', 'server', 'start', '-f', config])
    const [, natsPort = ''] = await logged(nats, /url=nats:\/\/127\.0\.0\.1:(\d+)/u)
    const env = { OSAPI_CONTROLLER_NATS_PORT: natsPort, OSAPI_CONTROLLER_API_JOB_TIMEOUT: '60s' }
    const api = startOsapi(['api', 'server', 'start', '-f', config], env)
    const [, port] = await logged(api, /api server listening port=(\d+)/u)
    const token = await runOsapi(['token', 'generate', '-r', 'admin', '-u', 'test', '-j', '-f', config])
    const client = startOsapi(['client', 'node', 'load', '-f', config], {
      OSAPI_CONTROLLER_CLIENT_URL: `http://127.0.0.1:${port}`,
      OSAPI_CONTROLLER_CLIENT_SECURITY_BEARER_TOKEN: (JSON.parse(token.stdout) as { token: string }).token,
    })
    await logged(api, /publishing job request/u)
    client.process.kill('SIGINT')
    assert.equal((await client.finished).code, 130)
    api.process.kill('SIGTERM')
    assert.equal((await api.finished).code, 0)
    nats.process.kill('SIGTERM')
    assert.equal((await nats.finished).code, 0)
  })

  it('says in a line that its port is taken, and exits with 1', async () => {
    const nats = startOsapi(['nats', 'server', 'start', '-f', config])
    const [, natsPort = ''] = await logged(nats, /url=nats:\/\/127\.0\.0\.1:(\d+)/u)
    const second = await runOsapi(['nats', 'server', 'start', '-f', config], {
      OSAPI_NATS_SERVER_PORT: natsPort,
      OSAPI_NATS_SERVER_STORE_DIR: workspace.path('second'),
    })
    assert.equal(second.code, 1)
    assert.match(
      second.stderr,
      /FTL failed to start nats server error="nats-server did not start: [^\n]*address already in use/u,
    )
    nats.process.kill('SIGTERM')
    await nats.finished
  })
})
