import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { environmentName, environmentSettings, modernise } from './keys.ts'
import { configSchema } from './schema.ts'
import { assign, isTree, read, type Tree } from './tree.ts'
import type { Config } from './types.ts'

/** A configuration that cannot be used; the message names the key, the value and what is allowed. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly code: 'unreadable' | 'invalid' | 'missing'

  constructor(code: ConfigError['code'], message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
  }
}

export interface ConfigSources {
  /** Path of the YAML file; it must exist. Undefined: none is read. */
  readonly file?: string | undefined
  readonly env?: Readonly<Record<string, string | undefined>>
  /** By dotted key, e.g. `{ 'controller.api.port': '9000', debug: true }`; undefined values are ignored. */
  readonly flags?: Readonly<Record<string, unknown>>
}

export interface LoadedConfig {
  readonly config: Config
  /** What the user should be told: old spellings, unknown keys. */
  readonly warnings: readonly string[]
}

/**
 * The configuration from flags, else environment, else file, else defaults. `debug` also turns tracing on.
 * Throws ConfigError when the file cannot be read or a value is not allowed.
 */
export function loadConfig(sources: ConfigSources): LoadedConfig {
  const tree = sources.file === undefined ? {} : readFile(sources.file)
  const warnings = modernise(tree)
  for (const { key, value, warning } of environmentSettings(sources.env ?? {})) {
    assign(tree, key, value)
    if (warning !== undefined) warnings.push(warning)
  }
  for (const [key, value] of Object.entries(sources.flags ?? {})) {
    if (value !== undefined) assign(tree, key, value)
  }
  const parsed = configSchema.safeParse(tree)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    const key = issue?.path.join('.') ?? ''
    throw new ConfigError(
      'invalid',
      `invalid config: ${key}: ${shown(read(tree, key))}; allowed: ${issue?.message}`,
    )
  }
  return { config: checked(withDebug(parsed.data)), warnings }
}

/** Throws a ConfigError that names the first of these keys that is empty. */
export function requireKeys(config: Config, keys: readonly string[]): void {
  for (const key of keys) {
    if (read(config, key) === '') {
      throw new ConfigError('missing', `invalid config: ${key} is required (or set ${environmentName(key)})`)
    }
  }
}

function readFile(file: string): Tree {
  try {
    const content: unknown = parse(readFileSync(file, 'utf8'))
    if (content === null || content === undefined) return {}
    if (isTree(content)) return content
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new ConfigError('unreadable', `failed to read config: ${reason}`, error)
  }
  throw new ConfigError('unreadable', `failed to read config: ${file} is not a map of keys`)
}

function withDebug(config: Config): Config {
  if (!config.debug || config.telemetry.tracing.enabled) return config
  return { ...config, telemetry: { tracing: { ...config.telemetry.tracing, enabled: true } } }
}

const labelsMax = 5
const labelWord = /^[a-zA-Z0-9_-]+$/

function checked(config: Config): Config {
  const labels = Object.entries(config.agent.labels)
  if (labels.length > labelsMax) {
    throw new ConfigError(
      'invalid',
      `invalid config: agent.labels: ${labels.length} labels; allowed: ${labelsMax} at most`,
    )
  }
  for (const [key, value] of labels) {
    if (labelWord.test(key) && value.split('.').every((segment) => labelWord.test(segment))) continue
    throw new ConfigError(
      'invalid',
      `invalid config: agent.labels.${key}: ${shown(value)}; allowed: letters, digits, _ and - in the key and in each dot-separated segment`,
    )
  }
  return config
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'undefined'
  return text.length > 100 ? `${text.slice(0, 100)}…` : text
}
