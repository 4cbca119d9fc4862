/** Bounds how many jobs run at once. */
export class Slots {
  readonly #max: number
  #taken = 0
  #waiters: (() => void)[] = []

  constructor(max: number) {
    this.#max = max
  }

  get taken(): number {
    return this.#taken
  }

  tryTake(): boolean {
    if (this.#taken >= this.#max) return false
    this.#taken += 1
    return true
  }

  /** Takes a slot as soon as there is one. */
  async take(): Promise<void> {
    while (!this.tryTake()) await this.#change()
  }

  release(): void {
    this.#taken -= 1
    this.#wake()
  }

  /** Resolves when a slot is free, without taking it; `signal` ends the wait early. */
  async whenFree(signal: AbortSignal): Promise<void> {
    const wake = () => this.#wake()
    signal.addEventListener('abort', wake)
    while (this.#taken >= this.#max && !signal.aborted) await this.#change()
    signal.removeEventListener('abort', wake)
  }

  /** Resolves when no slot is taken. */
  async whenIdle(): Promise<void> {
    while (this.#taken > 0) await this.#change()
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiters.push(resolve)
    })
  }

  #wake(): void {
    const waiters = this.#waiters
    this.#waiters = []
    for (const resolve of waiters) resolve()
  }
}
