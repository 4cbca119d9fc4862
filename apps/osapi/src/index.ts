export { type Config, ConfigError, loadConfig, requireKeys } from './config/index.ts'
export { createLogger } from './logger.ts'
export { version } from './version.ts'
