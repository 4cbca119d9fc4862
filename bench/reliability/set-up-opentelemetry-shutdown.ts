// The same with the handler that the README of @opentelemetry/sdk-node has under "You can also use the shutdown method to
// gracefully shut down the SDK before process shutdown", word for word in what it does.
import { sdk } from './set-up-opentelemetry.ts'

process.on('SIGTERM', () => {
  sdk
    .shutdown()
    .then(
      () => console.log('SDK shut down successfully'),
      (error: unknown) => console.log('Error shutting down SDK', error),
    )
    .finally(() => process.exit(0))
})
