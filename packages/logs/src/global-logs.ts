import type { Logger, LoggerOptions, LoggerSource } from './logger.ts'

// The place that @opentelemetry/api-logs keeps its global provider in, and the version of that agreement. That package
// has no version 1 yet; with the agreement alone, appenders of others find our provider, and ours finds another SDK's.
const globalKey = Symbol.for('io.opentelemetry.js.api.logs')
const globalVersion = 1

type ProviderGetter = (version: number) => LoggerSource | undefined

const globals = globalThis as unknown as { [globalKey]?: ProviderGetter }

/** Makes `provider` the one that all appenders use. False, and without effect, when there is one already. */
export function registerLoggerProvider(provider: LoggerSource): boolean {
  if (globals[globalKey] !== undefined) return false
  globals[globalKey] = (version) => (version === globalVersion ? provider : undefined)
  return true
}

/** Takes `provider` away again, if it is the one. */
export function unregisterLoggerProvider(provider: LoggerSource): void {
  if (globals[globalKey]?.(globalVersion) === provider) delete globals[globalKey]
}

/**
 * A logger of the provider that is registered at each moment: it may be made before tracing is set up, and costs one
 * look-up where nothing is.
 */
export function getLogger(name: string, version?: string, options?: LoggerOptions): Logger {
  let knownGetter: ProviderGetter | undefined
  let logger: Logger | undefined
  const current = (): Logger | undefined => {
    const getter = globals[globalKey]
    if (getter !== knownGetter) {
      knownGetter = getter
      logger = getter?.(globalVersion)?.getLogger(name, version, options)
    }
    return logger
  }
  return {
    emit: (record) => current()?.emit(record),
    // Loggers of older SDKs have no such method.
    enabled: () => {
      const found = current()
      return found !== undefined && (found.enabled?.() ?? true)
    },
  }
}
