import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, describe, it } from 'node:test'
import { startNatsServer } from './index.ts'

const dir = mkdtempSync(join(tmpdir(), 'server-test-'))
after(() => rmSync(dir, { recursive: true }))

/** The lines that the server writes after `commands`, up to the first that matches. */
async function converse(port: number, commands: string, until: RegExp): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  socket.write(commands)
  try {
    for await (const line of createInterface({ input: socket })) if (until.test(line)) return line
    throw new Error(`the server hung up before ${until}`)
  } finally {
    socket.destroy()
  }
}

function jetstreamRequest(subject: string, body = ''): string {
  return `CONNECT {"verbose":false}\r\nSUB reply 1\r\nPUB ${subject} reply ${body.length}\r\n${body}\r\n`
}

function connectWith(credentials: object): string {
  return `CONNECT ${JSON.stringify(credentials)}\r\nPING\r\n`
}

async function closed(socket: Socket): Promise<void> {
  socket.on('error', () => {})
  if (!socket.closed) await once(socket.resume(), 'close')
}

describe('startNatsServer', () => {
  it('starts on a free port, tells its log, and is gone after stop', async () => {
    const lines: string[] = []
    const server = await startNatsServer({
      log: (line) => lines.push(line),
      env: { PATH: process.env['PATH'] },
    })
    assert.match(server.url, /^nats:\/\/127\.0\.0\.1:\d+$/)
    assert.equal(server.url.endsWith(`:${server.port}`), true)
    assert.equal(server.external, false)
    assert.equal(server.monitoringUrl, undefined)
    const client = connect(server.port, '127.0.0.1')
    await once(client, 'data')
    await server.stop()
    await closed(client)
    await server.stop()
    assert.equal(server.pid, undefined)
    assert.match(lines.join('\n'), /Server is ready/)
  })

  it('asks for user and password, which no command line shows', async () => {
    const auth = { user: 'u', password: 'quote " and \\ back' }
    const server = await startNatsServer({ auth, env: {} })
    try {
      const good = connectWith({ user: auth.user, pass: auth.password })
      assert.equal(await converse(server.port, good, /PONG|-ERR/), 'PONG')
      assert.match(await converse(server.port, connectWith({}), /PONG|-ERR/), /Authorization Violation/)
      const commandLine = readFileSync(`/proc/${server.pid}/cmdline`, 'latin1')
      assert.equal(commandLine.includes('quote'), false)
    } finally {
      await server.stop()
    }
  })

  it('keeps port and store over a crash and a restart', async () => {
    for (const storeDir of [join(dir, 'store'), undefined]) {
      const options = storeDir === undefined ? { jetstream: true } : { storeDir }
      const server = await startNatsServer({ ...options, monitoringPort: 0, env: {} })
      try {
        const { port, pid, monitoringUrl } = server
        const stream = '{"name":"S","subjects":["s"],"storage":"file"}'
        await converse(port, jetstreamRequest('$JS.API.STREAM.CREATE.S', stream), /stream_create_response/)
        await server.kill()
        await server.restart()
        assert.notEqual(server.pid, pid)
        assert.deepEqual([server.port, server.monitoringUrl], [port, monitoringUrl])
        const names = await converse(port, jetstreamRequest('$JS.API.STREAM.NAMES'), /stream_names_response/)
        assert.match(names, /"streams":\["S"\]/)
        assert.equal((await fetch(`${monitoringUrl}/healthz`)).status, 200)
      } finally {
        await server.stop()
      }
    }
  })

  it('ends by lame duck when asked', async () => {
    const log = join(dir, 'server.log')
    const configText = 'lame_duck_duration: 30s, lame_duck_grace_period: 1ms'
    const server = await startNatsServer({ configText, log, env: {} })
    const client = connect(server.port, '127.0.0.1')
    await once(client, 'data')
    await Promise.all([server.lameDuck(), closed(client)])
    assert.match(readFileSync(log, 'utf8'), /[Ll]ame duck/)
    await server.stop()
  })

  it('leaves the server that NATS_URL names alone', async () => {
    const own = await startNatsServer({ env: {} })
    try {
      const NATS_URL = `nats://127.0.0.1:1,127.0.0.1:${own.port}`
      const server = await startNatsServer({ env: { NATS_URL } })
      assert.deepEqual([server.external, server.pid, server.port], [true, undefined, own.port])
      await server.stop()
      await assert.rejects(server.kill(), { code: 'external' })
      await assert.rejects(server.restart(), { code: 'external' })
      await assert.rejects(startNatsServer({ env: { NATS_URL }, jetstream: true }), {
        code: 'invalid_option',
      })
      assert.equal(await converse(own.port, 'CONNECT {"verbose":false}\r\nPING\r\n', /PONG/), 'PONG')
    } finally {
      await own.stop()
    }
    await assert.rejects(startNatsServer({ env: { NATS_URL: own.url } }), { code: 'unreachable' })
  })

  it('says why a start failed, with the words of the server', async () => {
    const taken = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    const address = taken.address()
    assert.ok(address !== null && typeof address === 'object')
    const attempt = startNatsServer({ port: address.port, env: {} })
    await assert.rejects(attempt, { code: 'start_failed', message: /address already in use/ })
    taken.close()
    await assert.rejects(startNatsServer({ configText: 'port: "no number"', env: {} }), {
      code: 'start_failed',
    })
  })

  it('refuses options that contradict each other or are out of range', async () => {
    for (const port of [-1, 65_536, 1.5])
      await assert.rejects(startNatsServer({ port }), { code: 'invalid_option' })
    const user = { user: 'u', password: 'p' }
    await assert.rejects(startNatsServer({ config: 'x.conf', auth: user }), { code: 'invalid_option' })
    await assert.rejects(startNatsServer({ storeDir: dir, jetstream: false }), { code: 'invalid_option' })
  })

  it('ends with its parent, even with one that is killed', async () => {
    const script = `
      import { startNatsServer } from '${new URL('./index.js', import.meta.url).href}'
      const server = await startNatsServer({ env: {} })
      process.stdout.write(server.port + '\\n')
    `
    for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
      const parent = spawn(process.execPath, ['--input-type=module', '-e', script])
      const [port] = (await once(parent.stdout, 'data')) as [Buffer]
      const client = connect(Number(port.toString()), '127.0.0.1')
      await once(client, 'data')
      parent.kill(signal)
      await closed(client)
    }
  })
})
