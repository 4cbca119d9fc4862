import { basename } from 'node:path'
// By the package's name, so that the program's own initTracer is the same one: there is one file of it (dist/bundle.js).
import { initTracer } from '@throughline/node'

/**
 * Tracing by environment alone: `node --import @throughline/node/register app.js`, or `import '@throughline/node/register'`
 * anywhere. The service is named by OTEL_SERVICE_NAME, else after the program's file, as the specification's
 * `unknown_service:<program>`.
 * https://opentelemetry.io/docs/specs/semconv/resource/#service
 */
initTracer(`unknown_service:${basename(process.argv[1] ?? process.argv0)}`)
