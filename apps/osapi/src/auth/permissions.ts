/** Every permission a route may ask for. The order is the order in which they are shown. */
export const permissions = [
  'agent:read',
  'agent:write',
  'node:read',
  'node:write',
  'network:read',
  'network:write',
  'job:read',
  'job:write',
  'health:read',
  'audit:read',
  'command:execute',
] as const

export type Permission = (typeof permissions)[number]

/** Role name to its permissions. Configuration may add names and redefine the built-in ones. */
export type RoleTable = Readonly<Record<string, readonly string[]>>

export const builtInRoles: RoleTable = {
  admin: permissions,
  write: [
    'agent:read',
    'node:read',
    'node:write',
    'network:read',
    'network:write',
    'job:read',
    'job:write',
    'health:read',
  ],
  read: ['agent:read', 'node:read', 'network:read', 'job:read', 'health:read'],
}

export function isPermission(text: string): text is Permission {
  return (permissions as readonly string[]).includes(text)
}

/** The names that a token may carry: the built-in roles and those of the configuration. */
export function roleNames(custom: RoleTable = {}): string[] {
  return [...new Set([...Object.keys(builtInRoles), ...Object.keys(custom)])]
}

export interface Grants {
  readonly roles: readonly string[]
  readonly permissions?: readonly string[] | undefined
}

/**
 * What a token allows. Permissions named in the token replace those of its roles; else each role counts with its
 * configured permissions, or, when the configuration does not name it, with the built-in ones.
 */
export function resolvePermissions(grants: Grants, custom: RoleTable = {}): string[] {
  if (grants.permissions && grants.permissions.length > 0) return [...new Set(grants.permissions)]
  const resolved = new Set<string>()
  for (const role of grants.roles) {
    for (const permission of ownEntry(custom, role) ?? ownEntry(builtInRoles, role) ?? []) {
      resolved.add(permission)
    }
  }
  return [...resolved]
}

// A role called "constructor" must not find Object.prototype's.
function ownEntry(table: RoleTable, role: string): readonly string[] | undefined {
  return Object.hasOwn(table, role) ? table[role] : undefined
}
