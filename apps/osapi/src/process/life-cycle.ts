import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Component } from './component.ts'

/** A part of a process that is to be started. */
export interface Part {
  readonly name: string
  /** Default: `<name> starting`. */
  readonly startingText?: string
  /** The others stand on it: it stops when they have. */
  readonly isBase?: boolean
  /** `fail` ends the process when the part breaks later. */
  start(fail: (error: Error) => void): Promise<StartedPart>
}

export interface StartedPart extends Component {
  /** After stop(), whether that was in time or not: metrics servers, connections. */
  readonly close?: () => Promise<void>
}

export interface LifeCycleOptions {
  readonly logger: Logger
  /** Aborted: stop, as at SIGINT and SIGTERM. */
  readonly signal: AbortSignal
  /** Between the parts' stop and their close: what they had to say is sent. */
  readonly flush: () => Promise<void>
  readonly stopMsMax?: number
}

const stopMsMaxDefault = 10_000

/**
 * Starts the parts in their order, waits until the process is told to stop or a part breaks, and stops all of them at
 * once, then what they stand on. Resolves with the exit code; rejects when a part cannot start, with the others stopped.
 */
export async function runParts(parts: readonly Part[], options: LifeCycleOptions): Promise<number> {
  const { logger, signal, flush } = options
  const started: { readonly part: StartedPart; readonly isBase: boolean }[] = []
  const end = new AbortController()
  let failure: Error | undefined
  const fail = (error: Error) => {
    failure ??= error
    end.abort()
  }
  try {
    for (const part of parts) {
      if (signal.aborted) break
      logger.info(part.startingText ?? `${part.name} starting`)
      started.push({ part: await part.start(fail), isBase: part.isBase ?? false })
      logger.info(`${part.name} started successfully`)
    }
    await aborted(AbortSignal.any([signal, end.signal]))
    if (failure !== undefined) logger.error({ error: failure }, 'a part of the process broke')
    return failure === undefined ? 0 : 1
  } finally {
    await stopAll(
      started.filter(({ isBase }) => !isBase),
      options,
    )
    await flush()
    await stopAll(
      started.filter(({ isBase }) => isBase),
      options,
    )
  }
}

async function stopAll(started: readonly { readonly part: StartedPart }[], options: LifeCycleOptions) {
  await Promise.all(started.map(({ part }) => stopPart(part, options)))
  await Promise.all(started.map(({ part }) => closePart(part, options.logger)))
}

async function stopPart(part: StartedPart, { logger, stopMsMax = stopMsMaxDefault }: LifeCycleOptions) {
  logger.info(`${part.name} shutting down`)
  const limit = new AbortController()
  try {
    const stopped = await Promise.race([
      part.stop().then(() => true),
      delay(stopMsMax, false, { signal: limit.signal }),
    ])
    if (stopped) logger.info(`${part.name} stopped gracefully`)
    else logger.warn(`${part.name} shutdown timed out`)
  } catch (error) {
    logger.error({ error }, `${part.name} did not stop in order`)
  } finally {
    limit.abort()
  }
}

async function closePart(part: StartedPart, logger: Logger): Promise<void> {
  try {
    await part.close?.()
  } catch (error) {
    logger.warn({ error }, `${part.name} did not close in order`)
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
