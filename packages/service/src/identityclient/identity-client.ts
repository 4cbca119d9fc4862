import { tracedFetch } from '@throughline/http'
import { IdentityError } from './identity-error.ts'
import type { Introspection } from './introspection.ts'
import { Introspector } from './introspector.ts'
import { type ServiceToken, type ServiceTokenRequest, ServiceTokens } from './service-tokens.ts'

/** Each call that is not configured throws when it is made, not before. */
export interface IdentityClientOptions {
  /** Where tokens are asked about, for example `http://identity:8080/v1/tokens/introspect`. */
  readonly introspectUrl?: string | undefined
  /** Where service tokens are issued, for example `http://identity:8080/v1/service-tokens`. */
  readonly serviceTokensUrl?: string | undefined
  /** Authenticates this service when it asks for a token. Without it, the certificate of `fetch` has to do. */
  readonly bootstrapKey?: string | undefined
  /** For one call. Default 5,000. */
  readonly requestTimeoutMs?: number | undefined
  /** How long an answer counts while the identity service cannot be asked. Default 30,000; 0: not at all. */
  readonly cacheTtlMs?: number | undefined
  /** Makes the requests; is wrapped once, so that each is a client span with trace headers. Default: the global fetch. */
  readonly fetch?: typeof globalThis.fetch | undefined
}

/** The client of the identity service. Every call is a client span; no token is in a span, a log line or an error. */
export interface IdentityClient {
  /**
   * Who this token speaks for. Throws an IdentityError: `inactive_token`, `invalid_token`, `identity_unavailable`,
   * `identity_not_configured`.
   */
  introspect(token: string, options?: { readonly signal?: AbortSignal }): Promise<Introspection>
  /**
   * A token for this service, kept until 10 s before it expires. Throws an IdentityError: `issue_service_token`,
   * `identity_unavailable`, `identity_service_tokens_not_configured`.
   */
  serviceToken(request: ServiceTokenRequest): Promise<ServiceToken>
}

/** Throws an IdentityError (`invalid_option`) that names the option, its value and what is allowed. */
export function createIdentityClient(options: IdentityClientOptions): IdentityClient {
  const fetch = tracedFetch(options.fetch)
  const requestTimeoutMs = wholeNumber('requestTimeoutMs', options.requestTimeoutMs ?? 5_000, 1)
  const cacheTtlMs = wholeNumber('cacheTtlMs', options.cacheTtlMs ?? 30_000, 0)
  const introspectUrl = httpUrl('introspectUrl', options.introspectUrl)
  const serviceTokensUrl = httpUrl('serviceTokensUrl', options.serviceTokensUrl)
  const introspector =
    introspectUrl === undefined
      ? undefined
      : new Introspector({
          url: introspectUrl,
          fetch,
          requestTimeoutMs,
          cacheTtlMs,
          now: () => performance.now(),
        })
  const serviceTokens =
    serviceTokensUrl === undefined
      ? undefined
      : new ServiceTokens({
          url: serviceTokensUrl,
          fetch,
          bootstrapKey: options.bootstrapKey,
          requestTimeoutMs,
          now: Date.now,
        })
  return {
    async introspect(token, { signal } = {}) {
      if (introspector === undefined)
        throw new IdentityError(
          'identity_not_configured',
          'identity_not_configured: introspectUrl is not set',
        )
      return introspector.introspect(token, signal)
    },
    async serviceToken(request) {
      if (serviceTokens === undefined)
        throw new IdentityError(
          'identity_service_tokens_not_configured',
          'identity_service_tokens_not_configured: serviceTokensUrl is not set',
        )
      return serviceTokens.get(request)
    },
  }
}

function wholeNumber(name: string, value: number, min: number): number {
  // 2^31 - 1 is where node's timers end.
  if (!Number.isSafeInteger(value) || value < min || value > 2 ** 31 - 1)
    throw new IdentityError(
      'invalid_option',
      `${name} ${value} must be a whole number from ${min} to 2147483647`,
    )
  return value
}

function httpUrl(name: string, value: string | undefined): string | undefined {
  if (value === undefined) return undefined
  if (!URL.canParse(value) || !/^https?:$/.test(new URL(value).protocol))
    throw new IdentityError('invalid_option', `${name} "${value}" must be an http:// or https:// URL`)
  return value
}
