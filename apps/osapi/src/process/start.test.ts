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
})
