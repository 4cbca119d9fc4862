import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { inspect } from 'node:util'
import { SpanKind, SpanStatusCode } from '@opentelemetry/api'
import { answerJson, type JsonResponder, type JsonServer, startJsonServer } from '../testing/json-server.ts'
import { collectSpans } from '../testing/spans.ts'
import { createIdentityClient, type IdentityClient } from './identity-client.ts'
import type { IdentityErrorCode } from './identity-error.ts'
import { Introspector } from './introspector.ts'
import { ServiceTokens } from './service-tokens.ts'

const token = 'secret-token-of-a-user'
const bootstrapKey = 'secret-bootstrap-key'
const active = { active: true, subject: 'user-1', organization_id: 'org-1', scopes: ['llm:call'] }

let respond: JsonResponder = answerJson(200, active)
let server: JsonServer
before(async () => {
  server = await startJsonServer(() => respond)
})
after(() => server.stop())
afterEach(() => {
  respond = answerJson(200, active)
})

function client(changes: object = {}): IdentityClient {
  const introspectUrl = `${server.url}/v1/tokens/introspect`
  const serviceTokensUrl = `${server.url}/v1/service-tokens`
  return createIdentityClient({ introspectUrl, serviceTokensUrl, bootstrapKey, ...changes })
}

const issued = (expiresAtMs: number): JsonResponder =>
  answerJson(201, {
    token: 't',
    expires_at: new Date(expiresAtMs).toISOString(),
    claims: { sub: 'ensemble' },
  })

/** Also holds that nothing secret is in what was thrown. */
async function refused(work: Promise<unknown>, code: IdentityErrorCode): Promise<void> {
  await assert.rejects(work, (error: Error & { code?: string }) => {
    assert.equal(error.code, code, error.message)
    assert.doesNotMatch(inspect(error, { depth: 10, showHidden: true }), /secret-/)
    return true
  })
}

describe('introspection', () => {
  it('sends an empty JSON body with the token as bearer, and gives the answer in our names', async () => {
    const answer = await client().introspect(token)
    const request = server.requests.at(-1)
    assert.equal(request?.path, '/v1/tokens/introspect')
    assert.equal(request?.headers.authorization, `Bearer ${token}`)
    assert.deepEqual(request?.body, {})
    assert.equal(answer.organizationId, 'org-1')
    assert.deepEqual(answer.scopes, ['llm:call'])
    assert.equal(answer.agentType, '')
  })

  it('an inactive token, and every other 4xx, is refused and forgotten', async () => {
    for (const [said, code] of [
      [answerJson(200, { active: false }), 'inactive_token'],
      [answerJson(401, {}), 'invalid_token'],
      [answerJson(403, {}), 'invalid_token'],
      [answerJson(404, {}), 'invalid_token'],
    ] as const) {
      const identity = client()
      await identity.introspect(token)
      respond = said
      await refused(identity.introspect(token), code)
      respond = answerJson(503, {})
      await refused(identity.introspect(token), 'identity_unavailable')
      respond = answerJson(200, active)
    }
  })

  it('while the service cannot be asked, the last answer counts', async () => {
    for (const said of [
      answerJson(408, {}),
      answerJson(429, {}),
      answerJson(500, {}),
      answerJson(503, {}),
      answerJson(302, {}),
      answerJson(200, { active: 'yes' }),
      (_request, response) => response.end('{"active": tru'),
      (_request, response) => response.end(JSON.stringify({ ...active, name: 'x'.repeat(1024 * 1024) })),
      (_request, response) => response.destroy(),
    ] satisfies JsonResponder[]) {
      const identity = client()
      respond = said
      await refused(identity.introspect(token), 'identity_unavailable')
      respond = answerJson(200, active)
      await identity.introspect(token)
      respond = said
      assert.equal((await identity.introspect(token)).subject, 'user-1')
      await refused(identity.introspect('another-token'), 'identity_unavailable')
    }
  })

  it('the last answer counts until it is as old as the limit, and never with a limit of 0', async () => {
    for (const [cacheTtlMs, ageMs, isKept] of [
      [1_000, 999, true],
      [1_000, 1_000, false],
      [0, 0, false],
    ] as const) {
      let nowMs = 5
      const url = `${server.url}/introspect`
      const introspector = new Introspector({
        url,
        fetch,
        requestTimeoutMs: 60_000,
        cacheTtlMs,
        now: () => nowMs,
      })
      respond = answerJson(200, active)
      await introspector.introspect(token)
      nowMs += ageMs
      respond = answerJson(503, {})
      if (isKept) assert.equal((await introspector.introspect(token)).subject, 'user-1')
      else await refused(introspector.introspect(token), 'identity_unavailable')
      assert.doesNotMatch(inspect(introspector, { depth: 10, showHidden: true }), /secret-/)
    }
  })

  it('a service that hangs is waited for as long as the option says', async () => {
    respond = () => {}
    await refused(client({ requestTimeoutMs: 1 }).introspect(token), 'identity_unavailable')
  })

  it('who gives up gets the reason for it, and no stale answer', async () => {
    const identity = client()
    await identity.introspect(token)
    const giveUp = new AbortController()
    respond = () => giveUp.abort(new Error('enough'))
    await assert.rejects(identity.introspect(token, { signal: giveUp.signal }), /enough/)
  })

  it('is refused where it is not configured', async () => {
    await refused(client({ introspectUrl: undefined }).introspect(token), 'identity_not_configured')
  })
})

describe('service tokens', () => {
  const request = { service: 'ensemble', organizationId: 'org-1', scopes: ['b', 'a', 'b'], ttlSeconds: 60 }
  it('are asked for with the bootstrap key, and kept per organisation, service and scopes', async () => {
    respond = issued(Date.now() + 3_600_000)
    const identity = client()
    const first = await identity.serviceToken(request)
    assert.equal(first.token, 't')
    assert.equal(first.tokenType, 'Bearer')
    const sent = server.requests.at(-1)
    assert.equal(sent?.headers.authorization, `Bearer ${bootstrapKey}`)
    assert.deepEqual(sent?.body, {
      service: 'ensemble',
      organization_id: 'org-1',
      scopes: ['a', 'b'],
      ttl_seconds: 60,
    })
    const count = server.requests.length
    assert.equal(await identity.serviceToken({ ...request, scopes: ['a', 'b'] }), first)
    assert.equal(server.requests.length, count)
    for (const other of [{ organizationId: 'org-2' }, { service: 'pipeline' }, { scopes: ['a'] }])
      assert.notEqual(await identity.serviceToken({ ...request, ...other }), first)
    assert.equal(server.requests.length, count + 3)
  })

  it('are renewed from 10 s before they expire', async () => {
    let nowMs = 1_000_000
    const url = `${server.url}/v1/service-tokens`
    const tokens = new ServiceTokens({ url, fetch, bootstrapKey, requestTimeoutMs: 60_000, now: () => nowMs })
    respond = issued(nowMs + 60_000)
    const first = await tokens.get(request)
    nowMs += 49_999
    assert.equal(await tokens.get(request), first)
    nowMs += 1
    assert.notEqual(await tokens.get(request), first)
  })

  it('those who ask at the same time share one request, and a failed one is not kept', async () => {
    const identity = client()
    const count = server.requests.length
    respond = answerJson(500, {})
    const both = [identity.serviceToken(request), identity.serviceToken(request)]
    for (const one of both) await refused(one, 'issue_service_token')
    assert.equal(server.requests.length, count + 1)
    respond = issued(Date.now() + 3_600_000)
    assert.equal((await identity.serviceToken(request)).token, 't')
  })

  it('an answer that is none is refused', async () => {
    for (const said of [
      answerJson(200, {}),
      answerJson(201, {}),
      answerJson(201, { token: '', expires_at: 'soon' }),
    ]) {
      respond = said
      await refused(client().serviceToken(request), 'issue_service_token')
    }
    respond = (_request, response) => response.destroy()
    await refused(client().serviceToken(request), 'identity_unavailable')
  })

  it('the time to live is a whole number from 1', async () => {
    for (const ttlSeconds of [0, 1.5, Number.NaN])
      await refused(client().serviceToken({ ...request, ttlSeconds }), 'invalid_option')
  })

  it('are refused where they are not configured', async () => {
    const identity = client({ serviceTokensUrl: undefined })
    await refused(identity.serviceToken(request), 'identity_service_tokens_not_configured')
  })
})

describe('options', () => {
  it('that cannot be used are named', () => {
    for (const [options, text] of [
      [{ introspectUrl: 'identity:80' }, /introspectUrl "identity:80" must be an http/],
      [{ serviceTokensUrl: 'x' }, /serviceTokensUrl "x"/],
      [{ requestTimeoutMs: 0 }, /requestTimeoutMs 0 must be a whole number from 1/],
      [{ cacheTtlMs: -1 }, /cacheTtlMs -1 must be a whole number from 0/],
    ] as const)
      assert.throws(() => createIdentityClient(options), text)
  })
})

describe('the trace', () => {
  it('each call is a client span whose context is sent, and no secret is in it', async (t) => {
    const { ended: spans, unregister } = collectSpans()
    t.after(unregister)
    await client().introspect(token)
    respond = answerJson(503, {})
    await refused(client().introspect(token), 'identity_unavailable')
    assert.deepEqual(
      spans.map(({ name, kind, status }) => ({ name, kind, code: status.code })),
      [
        { name: 'POST', kind: SpanKind.CLIENT, code: SpanStatusCode.UNSET },
        { name: 'POST', kind: SpanKind.CLIENT, code: SpanStatusCode.ERROR },
      ],
    )
    const { traceparent } = server.requests.at(-1)?.headers ?? {}
    assert.match(String(traceparent), new RegExp(spans[1]?.spanContext().spanId ?? 'none'))
    assert.doesNotMatch(inspect(spans, { depth: 10, showHidden: true }), /secret-/)
  })
})
