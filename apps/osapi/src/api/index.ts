import type { StartApi } from '../process/component.ts'
import { buildApp } from './app.ts'

/** Starts the API server on `controller.api.port` (0: any free port). */
export const startApi: StartApi = async (parts) => {
  const { app, metrics } = await buildApp(parts)
  await app.listen({ port: parts.config.controller.api.port, host: '0.0.0.0' })
  const address = app.server.address()
  if (address === null || typeof address === 'string') throw new Error('api server has no port')
  const server = { name: 'api server', port: address.port, metrics, stop: async () => await app.close() }
  return server
}
