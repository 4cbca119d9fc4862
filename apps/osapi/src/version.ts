import { readFileSync } from 'node:fs'

/** The version in this package's package.json. */
export const version: string = readVersion()

function readVersion(): string {
  const content: unknown = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  const found = typeof content === 'object' && content !== null && 'version' in content ? content.version : ''
  return String(found)
}
