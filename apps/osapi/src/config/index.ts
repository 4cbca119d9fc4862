export { ConfigError, type ConfigSources, type LoadedConfig, loadConfig, requireKeys } from './load.ts'
export type {
  AgentConfig,
  Config,
  MetricsConfig,
  NatsAuthConfig,
  NatsConfig,
  NatsConnectionConfig,
  StorageConfig,
  TracingConfig,
} from './types.ts'
