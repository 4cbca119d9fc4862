import type { WorkerConfig } from '../messages.ts'
import type { Transport } from './answer.ts'
import { openCredentials } from './credentials.ts'

/**
 * The road to the collector. `say` gets a line when a certificate or headers file cannot be used any more. Only the
 * client that is asked for is loaded: start-up time is what a short command feels.
 */
export async function createTransport(
  config: WorkerConfig,
  say: (message: string) => void,
): Promise<Transport> {
  const credentials = openCredentials(config, say)
  if (config.protocol === 'grpc')
    return (await import('./grpc-transport.ts')).createGrpcTransport(config, credentials)
  return (await import('./http-transport.ts')).createHttpTransport(config, credentials)
}
