import type { AttributeValue } from '@throughline/otlp'
import type { SpanSink } from '@throughline/trace'
import { type Ledger, LedgerBook } from './ledger.ts'
import { spanToJson } from './span-json.ts'

/** What `createStdoutExporter` takes; `resource` and `clock` are required. */
export interface StdoutExporterOptions {
  /** Attributes of the resource that all spans belong to. */
  readonly resource: Readonly<Record<string, AttributeValue | undefined>>
  /** The clock of the tracer provider: span times are relative to its origin. */
  readonly clock: { readonly originUnixNano: bigint }
  /** Gets the text of one span, with its line end; what it throws is counted as dropped. Default: writes to file descriptor 1. */
  readonly write?: (text: string) => void
}

/** A span sink that prints, with its account. */
export interface StdoutExporter extends SpanSink {
  /** Printed spans count as delivered. */
  ledger(): Ledger
}

/**
 * Prints each span as indented JSON, in the moment in which it ends and synchronously: what has ended is printed,
 * however the process dies. That is for looking at spans, not for production: the host waits for its reader.
 */
export function createStdoutExporter(options: StdoutExporterOptions): StdoutExporter {
  const { resource, write = writeToStdout } = options
  const { originUnixNano } = options.clock
  const book = new LedgerBook()
  let isShutDown = false
  return {
    onEnd(span) {
      if (isShutDown) {
        book.refuse('after_shutdown')
        return
      }
      try {
        write(`${spanToJson(span, { resource, originUnixNano })}\n`)
        book.accept()
        book.deliver({ pendingItemCount: 1, spooledItemCount: 0 }, 0)
      } catch {
        book.refuse('write_error')
      }
    },
    ledger: () => book.read(),
    async forceFlush() {},
    async shutdown() {
      isShutDown = true
    },
  }
}

/** How long one span waits for a reader that does not read. */
const writeTimeoutMs = 1_000

/**
 * process.stdout would do on files and terminals, but may keep text back on pipes and sockets, which then is lost when the process
 * exits at once. Writing to the descriptor needs a loop: a non-blocking pipe that is full takes a part, or says EAGAIN.
 */
function writeToStdout(text: string): void {
  // Not imported: the ES module of node:fs loads streams and promises that a program may not need.
  const { writeSync } = process.getBuiltinModule('node:fs')
  const bytes = Buffer.from(text)
  const deadlineMs = performance.now() + writeTimeoutMs
  for (let offset = 0; offset < bytes.length; ) {
    try {
      offset += writeSync(1, bytes, offset)
    } catch (error) {
      const isFull = error instanceof Error && 'code' in error && error.code === 'EAGAIN'
      if (!isFull || performance.now() > deadlineMs) throw error
      Atomics.wait(pause, 0, 0, 1)
    }
  }
}

const pause = new Int32Array(new SharedArrayBuffer(4))
