import { readFileSync } from 'node:fs'

const supported: Readonly<Record<string, readonly string[]>> = {
  debian: ['12', '13'],
  ubuntu: ['20.04', '22.04', '24.04'],
}

/** What to warn about on a system that OSAPI has not been tried on; its providers say themselves what they cannot do. */
export function osFamilyWarning(
  env: Readonly<Record<string, string | undefined>>,
  system: { readonly platform: string; readonly osRelease: () => string } = host,
): string | undefined {
  if (env['IGNORE_LINUX'] !== undefined || system.platform === 'darwin') return undefined
  const found = system.platform === 'linux' ? parseRelease(system.osRelease()) : undefined
  if (found !== undefined && supported[found.id]?.includes(found.version)) return undefined
  const name = found === undefined ? system.platform : `${found.id} ${found.version}`.trim()
  return `os family not supported: ${name}; operations that it cannot do are skipped`
}

const host = { platform: process.platform, osRelease: () => readFileSync('/etc/os-release', 'utf8') }

function parseRelease(text: string): { readonly id: string; readonly version: string } {
  const value = (key: string) => new RegExp(`^${key}="?([^"\\n]*)"?$`, 'm').exec(text)?.[1] ?? ''
  return { id: value('ID'), version: value('VERSION_ID') }
}
