import { gunzipSync } from 'node:zlib'
import { nextPort, ownAddress } from './address.ts'
import type { Answer } from './answer.ts'
import { listenForGrpc } from './grpc-server.ts'
import { listenForHttp } from './http-server.ts'
import { Received } from './received.ts'

export type Protocol = 'grpc' | 'http/protobuf'

export const protocols: readonly Protocol[] = ['grpc', 'http/protobuf']

/** Takes the body of a request, gives the answer. */
export type AnswerOf = (body: Buffer, isCompressed: boolean) => Answer

export interface PeerServer {
  readonly close: () => Promise<void>
}

/**
 * A collector on a real socket that answers as the test says, and can go away and come back on the same address. Its
 * port is its own for the life of this process, so that it refuses connections while it is away.
 */
export class OtlpPeer {
  readonly protocol: Protocol
  readonly received: Received = new Received()
  readonly #port: number = nextPort()
  readonly #address: string = ownAddress
  #answer: (requestIndex: number) => Answer
  #server: PeerServer | undefined

  private constructor(protocol: Protocol, answer: Answer) {
    this.protocol = protocol
    this.#answer = () => answer
  }

  /** A collector that does not listen yet: connections are refused. */
  static away(protocol: Protocol): OtlpPeer {
    return new OtlpPeer(protocol, { kind: 'accept' })
  }

  static async start(protocol: Protocol, answer: Answer = { kind: 'accept' }): Promise<OtlpPeer> {
    const peer = new OtlpPeer(protocol, answer)
    await peer.listen()
    return peer
  }

  /** With the scheme for both protocols, as the specification has it. */
  get endpoint(): string {
    return `http://${this.#address}:${this.#port}`
  }

  /** Answers so from the next request on; a function gets the request's index. */
  answer(answer: Answer | ((requestIndex: number) => Answer)): void {
    this.#answer = typeof answer === 'function' ? answer : () => answer
  }

  async listen(): Promise<void> {
    const answerOf: AnswerOf = (body, isCompressed) => this.#take(body, isCompressed)
    const listen = this.protocol === 'grpc' ? listenForGrpc : listenForHttp
    this.#server = await listen(this.#address, this.#port, answerOf)
  }

  /** Ends all connections; new ones are refused. */
  async goAway(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    await server?.close()
  }

  #take(body: Buffer, isCompressed: boolean): Answer {
    const answer = this.#answer(this.received.requestCount)
    this.received.take(isCompressed ? gunzipSync(body) : body, rejectedCountOf(answer))
    return answer
  }
}

function rejectedCountOf(answer: Answer): number {
  if (answer.kind === 'partial') return answer.rejectedCount
  return answer.kind === 'accept' || answer.kind === 'garbage' ? 0 : Number.POSITIVE_INFINITY
}
