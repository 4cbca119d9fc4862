import { LRUCache } from 'lru-cache'
import { z } from 'zod'
import { IdentityError } from './identity-error.ts'
import { type JsonPost, postJson } from './json-post.ts'

/** A token is renewed this long before it expires, so that it does not expire on its way. */
const renewBeforeMs = 10_000
const tokensMax = 10_000

/** What a service asks a token for. */
export interface ServiceTokenRequest {
  readonly service: string
  readonly organizationId: string
  readonly scopes: readonly string[]
  /** At least 1. */
  readonly ttlSeconds: number
}

/** A token that a service shows to others. */
export interface ServiceToken {
  readonly token: string
  readonly tokenType: string
  readonly expiresAtMs: number
  readonly claims: Readonly<Record<string, unknown>>
}

export interface ServiceTokensOptions {
  readonly url: string
  readonly fetch: JsonPost['fetch']
  /** Bearer; without it the client's certificate has to do. */
  readonly bootstrapKey: string | undefined
  readonly requestTimeoutMs: number
  /** Milliseconds since the epoch: expiry is a time of day. */
  readonly now: () => number
}

const answer = z.object({
  token: z.string().min(1),
  token_type: z.string().default('Bearer'),
  expires_at: z.iso.datetime({ offset: true }),
  claims: z.record(z.string(), z.unknown()).default({}),
})

/** Tokens by organisation, service and scopes. Those who ask for the same one at the same time wait for one request. */
export class ServiceTokens {
  readonly #options: ServiceTokensOptions
  readonly #tokens = new LRUCache<string, ServiceToken>({ max: tokensMax })
  readonly #pending = new Map<string, Promise<ServiceToken>>()

  constructor(options: ServiceTokensOptions) {
    this.#options = options
  }

  async get(request: ServiceTokenRequest): Promise<ServiceToken> {
    if (!Number.isSafeInteger(request.ttlSeconds) || request.ttlSeconds < 1)
      throw new IdentityError(
        'invalid_option',
        `ttlSeconds ${request.ttlSeconds} must be a whole number from 1`,
      )
    const scopes = [...new Set(request.scopes)].toSorted()
    const key = JSON.stringify([request.organizationId, request.service, ...scopes])
    const known = this.#tokens.get(key)
    if (known !== undefined && this.#options.now() < known.expiresAtMs - renewBeforeMs) return known
    const pending = this.#pending.get(key) ?? this.#issue(key, { ...request, scopes })
    this.#pending.set(key, pending)
    return pending
  }

  async #issue(key: string, request: ServiceTokenRequest): Promise<ServiceToken> {
    try {
      const token = await this.#request(request)
      this.#tokens.set(key, token)
      return token
    } finally {
      this.#pending.delete(key)
    }
  }

  async #request(request: ServiceTokenRequest): Promise<ServiceToken> {
    const { url, fetch, bootstrapKey, requestTimeoutMs: timeoutMs } = this.#options
    const body = {
      service: request.service,
      organization_id: request.organizationId,
      scopes: request.scopes,
      ttl_seconds: request.ttlSeconds,
    }
    const { status, body: answered } = await postJson({
      url,
      fetch,
      timeoutMs,
      bearer: bootstrapKey,
      body,
      signal: undefined,
    }).catch((cause: unknown) => {
      throw new IdentityError('identity_unavailable', 'the identity service cannot be asked: no answer', {
        cause,
      })
    })
    if (status !== 201)
      throw new IdentityError('issue_service_token', `issue_service_token: unexpected_status_${status}`)
    const { data } = answer.safeParse(answered)
    if (data === undefined)
      throw new IdentityError('issue_service_token', 'issue_service_token: the answer is no service token')
    return {
      token: data.token,
      tokenType: data.token_type,
      expiresAtMs: Date.parse(data.expires_at),
      claims: data.claims,
    }
  }
}
