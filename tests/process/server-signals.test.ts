import assert from 'node:assert/strict'
import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { ChildProgram, type End, type Outcome, outcomeOf } from '../harness/child-program.ts'
import { nextPort, ownAddress } from '../harness/peer/address.ts'
import {
  baselineOf,
  type CollectorKind,
  count,
  programs,
  Scene,
  type SpoolMode,
  setUpThroughline,
  startAgain,
} from './case.ts'
import { spanNames } from './programs/spans.ts'

interface Handling {
  readonly name: string
  /** What the test does with a server that listens, until the server has ended. */
  readonly play: (server: Server) => Promise<void>
  /** Names of spans beside those that the program ends at its start. */
  readonly furtherSpans?: readonly string[]
}

/** The server's program, and what a test does to it. */
class Server {
  readonly program: ChildProgram
  readonly signal: NodeJS.Signals
  readonly #port: number

  constructor(options: {
    signal: NodeJS.Signals
    handling: string
    setUp: string
    env?: Record<string, string>
  }) {
    this.signal = options.signal
    this.#port = nextPort()
    const args = [join(programs, 'server.js'), options.setUp, ownAddress, String(this.#port)]
    this.program = new ChildProgram({
      args: [...args, options.signal, options.handling, String(count)],
      ...(options.env !== undefined && { env: options.env }),
    })
  }

  /** Resolves with the body of the answer. */
  async get(path: string): Promise<string> {
    const request = get({ host: ownAddress, port: this.#port, path, agent: false })
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    let body = ''
    for await (const part of response.setEncoding('utf8')) body += String(part)
    return body
  }

  /** Sends the signal; with a text, waits until the program has printed it. */
  async take(printed?: RegExp): Promise<void> {
    this.program.kill(this.signal)
    if (printed !== undefined) await this.program.printed(printed)
  }
}

const closingSpans = [...spanNames(count, 'closing'), 'GET']

const handlings: readonly Handling[] = [
  { name: 'bare', play: (server) => server.take() },
  { name: 'exit at once', play: (server) => server.take() },
  { name: 'throw', play: (server) => server.take() },
  { name: 'raise again', play: (server) => server.take() },
  { name: 'signal-exit', play: (server) => server.take() },
  { name: 'taken off again', play: (server) => server.take() },
  ...['close and end', 'close and exit'].map((name) => ({
    name,
    play: closeWithRequest,
    furtherSpans: closingSpans,
  })),
  {
    name: 'ignore',
    furtherSpans: ['GET', 'GET'],
    play: async (server) => {
      await server.take(/(?:ignores it\n){1}/u)
      assert.equal(await server.get('/'), 'hello')
      await server.take(/(?:ignores it\n){2}/u)
      assert.equal(await server.get('/'), 'hello')
      // What it does not handle ends it.
      server.program.kill(server.signal === 'SIGHUP' ? 'SIGTERM' : 'SIGHUP')
    },
  },
  {
    name: 'once',
    furtherSpans: ['GET'],
    play: async (server) => {
      await server.take(/ignores it/u)
      assert.equal(await server.get('/'), 'hello')
      await server.take()
    },
  },
]

/** A request is under way when the signal comes; it is answered before the server is closed. */
async function closeWithRequest(server: Server): Promise<void> {
  const answer = server.get('/held')
  await server.program.printed(/holds/u)
  await server.take(/closes/u)
  assert.equal(await answer, 'late')
}

async function run(handling: Handling, options: ConstructorParameters<typeof Server>[0]): Promise<End> {
  const server = new Server(options)
  await server.program.printed(/listens/u)
  await handling.play(server)
  return server.program.end()
}

interface SignalCase {
  readonly signal: NodeJS.Signals
  readonly spool: SpoolMode
  readonly collector: CollectorKind
  /** The program's handler is set up before tracing is, or after it. */
  readonly handler: 'before' | 'after'
}

const cases: readonly SignalCase[] = [
  { signal: 'SIGTERM', spool: 'off', collector: 'there', handler: 'after' },
  { signal: 'SIGTERM', spool: 'on-failure', collector: 'hanging', handler: 'before' },
  { signal: 'SIGTERM', spool: 'on-failure', collector: 'refused', handler: 'after' },
  { signal: 'SIGINT', spool: 'on-failure', collector: 'there', handler: 'after' },
  { signal: 'SIGHUP', spool: 'always', collector: 'there', handler: 'before' },
]

describe('a server takes signals as it would without us', { concurrency: 4 }, () => {
  for (const handling of handlings)
    for (const { signal, spool, collector, handler } of cases)
      it(`${handling.name}: ${signal}, collector ${collector}, spool ${spool}, handler set up ${handler} tracing`, async (t) => {
        const scene = await Scene.of({ protocol: 'http/protobuf', collector, spool })
        t.after(() => scene.end())
        const common = { signal, handling: handling.name }
        const env = { PROOF_HANDLER: handler, PROOF_EXIT_TIMEOUT_MS: '30000' }
        const baseline = await baselineOf(`${handling.name} ${signal}`, () =>
          run(handling, { ...common, env, setUp: 'none' }),
        )
        const end = await run(handling, { ...common, env: { ...env, ...scene.env }, setUp: setUpThroughline })
        assert.deepEqual(withoutPlaces(outcomeOf(end)), withoutPlaces(baseline))

        const names = [...spanNames(count, 'work'), ...(handling.furtherSpans ?? [])]
        const { received } = scene.peer
        if (received.spans.size < names.length && spool !== 'off') await startAgain(scene, names.length)
        assert.deepEqual(received.names.toSorted(), names.toSorted(), end.ourLines.join('\n'))
      })
})

/** With a second listener, process.emit takes another path inside of Node.js, which shows as other line numbers in a stack. */
function withoutPlaces(outcome: Outcome): Outcome {
  return { ...outcome, stderr: outcome.stderr.replaceAll(/\(node:events:\d+:\d+\)/gu, '(node:events)') }
}
