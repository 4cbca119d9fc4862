import { Command, InvalidArgumentError, Option } from 'commander'
import { runFlush } from './flush-command.ts'
import { runLens } from './lens-command.ts'
import { runTrace, runTraces } from './trace-command.ts'

const defaultUrl = 'http://127.0.0.1:4319'

/** The commands. Each sets `process.exitCode`: 0 done, 1 failed with the reason on stderr. */
export function createProgram(): Command {
  const program = new Command('throughline')
    .description('Distributed tracing for Node.js: start the trace backend, look at traces in the terminal')
    .version('0.1.0')
    .showHelpAfterError('(throughline --help lists commands and options)')
  addLens(program)
  program
    .command('trace')
    .description('draw one trace as a waterfall')
    .argument('<id>', 'trace id, 32 hexadecimal digits')
    .option('--url <url>', 'where Lens is', httpUrl, defaultUrl)
    .option('--json', 'print the trace as JSON instead', false)
    .action(runTrace)
  program
    .command('traces')
    .description('list the traces that started last')
    .option('--url <url>', 'where Lens is', httpUrl, defaultUrl)
    .option('--service <name>', 'only traces with a span of this service')
    .option('--errors', 'only traces with an error', false)
    .option('--min-duration-ms <ms>', 'only traces that took at least this long')
    .option('--limit <count>', 'at most this many', '20')
    .option('--json', 'print the list as JSON instead', false)
    .action(runTraces)
  addFlush(program)
  return program
}

function addFlush(program: Command): void {
  program
    .command('flush')
    .description('deliver what programs that are gone have left in a spool folder')
    .option('--dir <directory>', 'the folder that the programs spool to (default: THROUGHLINE_SPOOL_DIR)')
    .option('--endpoint <url>', 'the collector (default: OTEL_EXPORTER_OTLP_*, else this machine)')
    .addOption(
      new Option('--protocol <protocol>', 'how to speak to it').choices([
        'grpc',
        'http/protobuf',
        'http/json',
      ]),
    )
    .option('--headers-file <file>', 'headers to send, one "name: value" a line')
    .option(
      '--give-up-after-ms <ms>',
      'end when nothing could be delivered for so long',
      milliseconds,
      10_000,
    )
    .action(runFlush)
}

function addLens(program: Command): void {
  program
    .command('lens')
    .description('start Lens: OTLP in, traces in the browser and in the terminal')
    .option('--port <port>', 'page and API', port, 4319)
    .option('--otlp-grpc-port <port>', 'OTLP over gRPC', port, 4317)
    .option('--otlp-http-port <port>', 'OTLP over HTTP', port, 4318)
    .option(
      '--host <host>',
      'address to listen on; Lens has no access control, so beyond this machine all can read',
      '127.0.0.1',
    )
    .option(
      '--data-dir <directory>',
      'where to keep the data (default: throughline/lens in your data directory)',
    )
    .option('--memory', 'keep the data in memory only', false)
    .option('--retention-hours <hours>', 'delete data that arrived longer ago', hours, 72)
    .action(runLens)
}

function port(text: string): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && value <= 65_535) return value
  throw new InvalidArgumentError('Allowed: a whole number from 0 to 65535; 0 takes any free port.')
}

function milliseconds(text: string): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && value >= 1 && value < 2 ** 31) return value
  throw new InvalidArgumentError('Allowed: a whole number of milliseconds, at least 1.')
}

function hours(text: string): number {
  const value = Number(text)
  if (/^\d+(\.\d+)?$/.test(text) && value > 0) return value
  throw new InvalidArgumentError('Allowed: a number above 0.')
}

function httpUrl(text: string): string {
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return text.replace(/\/+$/, '')
  throw new InvalidArgumentError(`Allowed: an http or https URL, such as ${defaultUrl}.`)
}
