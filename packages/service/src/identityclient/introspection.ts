import { z } from 'zod'

const text = z.string().default('')
const texts = z.array(z.string()).default([])

const answer = z.object({
  active: z.boolean(),
  subject: text,
  token_type: text,
  service: text,
  organization_id: text,
  scopes: texts,
  agent_type: text,
  capabilities: texts,
  run_id: text,
  surface: text,
  user_subject: text,
  email: text,
  name: text,
  issued_at: z.string().optional(),
  expires_at: z.string().optional(),
})

/** Who a token speaks for. Texts that the identity service does not know are empty, lists likewise. */
export interface Introspection {
  readonly active: boolean
  readonly subject: string
  readonly tokenType: string
  readonly service: string
  readonly organizationId: string
  readonly scopes: readonly string[]
  readonly agentType: string
  readonly capabilities: readonly string[]
  readonly runId: string
  readonly surface: string
  readonly userSubject: string
  readonly email: string
  readonly name: string
  /** As the identity service wrote it, RFC 3339. */
  readonly issuedAt: string | undefined
  /** As the identity service wrote it, RFC 3339. */
  readonly expiresAt: string | undefined
}

/** Undefined for anything that is no introspection. */
export function parseIntrospection(body: unknown): Introspection | undefined {
  const { data } = answer.safeParse(body)
  if (data === undefined) return undefined
  return {
    active: data.active,
    subject: data.subject,
    tokenType: data.token_type,
    service: data.service,
    organizationId: data.organization_id,
    scopes: data.scopes,
    agentType: data.agent_type,
    capabilities: data.capabilities,
    runId: data.run_id,
    surface: data.surface,
    userSubject: data.user_subject,
    email: data.email,
    name: data.name,
    issuedAt: data.issued_at,
    expiresAt: data.expires_at,
  }
}
