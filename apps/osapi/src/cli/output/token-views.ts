import { type RoleTable, resolvePermissions } from '../../auth/permissions.ts'
import type { Claims } from '../../auth/token.ts'
import { pairLines } from './table.ts'

export interface GeneratedToken {
  readonly token: string
  readonly subject: string
  readonly roles: readonly string[]
  readonly permissions?: readonly string[]
}

export function generatedTokenLines(generated: GeneratedToken): string[] {
  return [
    '',
    ...pairLines(['Token', generated.token]),
    ...pairLines(['Subject', generated.subject], ['Roles', generated.roles.join(', ')]),
    ...pairLines(['Permissions', generated.permissions?.join(', ')]),
  ]
}

export function validatedTokenJson(claims: Claims, customRoles: RoleTable): Record<string, unknown> {
  return {
    subject: claims.subject,
    roles: claims.roles,
    ...(claims.permissions && { permissions: claims.permissions }),
    effective_permissions: resolvePermissions(claims, customRoles),
    audience: claims.audience,
    issued: rfc3339(claims.issuedAt),
    expires: rfc3339(claims.expiresAt),
  }
}

export function validatedTokenLines(claims: Claims, customRoles: RoleTable): string[] {
  return [
    '',
    ...pairLines(['Subject', claims.subject], ['Roles', claims.roles.join(', ')]),
    ...pairLines(['Permissions', claims.permissions?.join(', ')]),
    ...pairLines(['Effective Permissions', resolvePermissions(claims, customRoles).join(', ')]),
    ...pairLines(['Audience', claims.audience.join(', ')]),
    ...pairLines(['Issued', rfc3339(claims.issuedAt)], ['Expires', rfc3339(claims.expiresAt)]),
  ]
}

function rfc3339(date: Date): string {
  return date.toISOString().replace('.000Z', 'Z')
}
