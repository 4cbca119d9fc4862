import { h, pageLink } from './dom.ts'

/** A page draws itself into `app` and gives back what stops it: timers, listeners. */
export type Page = (app: HTMLElement) => () => void

export const brand = (): HTMLElement =>
  pageLink('/', { class: 'brand', attributes: { 'aria-label': 'Lens: all traces' } }, [
    h('span', { class: 'brand-mark', attributes: { 'aria-hidden': 'true' } }, [h('i'), h('i'), h('i')]),
    'Lens',
  ])

export const nothingToStop = (): void => undefined

/** Runs `work` now and then again `everyMs` after it has ended, but not while the page is hidden. Returns what stops it. */
export function repeat(work: () => Promise<boolean>, everyMs: number): () => void {
  let stopped = false
  let timer = 0
  const run = async (): Promise<void> => {
    const goOn = document.hidden || (await work())
    if (!stopped && goOn) timer = setTimeout(start, everyMs)
  }
  const start = (): void => {
    run().catch((error: unknown) => {
      stopped = true
      throw error
    })
  }
  start()
  return () => {
    stopped = true
    clearTimeout(timer)
  }
}
