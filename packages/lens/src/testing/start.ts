import { type Lens, type LensOptions, startLens as startLensNow } from '../lens.ts'

/** A Lens in memory on free ports. */
export const startTestLens = (options: LensOptions = {}): Promise<Lens> =>
  startLensNow({ otlpGrpcPort: 0, otlpHttpPort: 0, port: 0, ...options })

/** The answer's JSON; its shape is what the test then asserts. */
// oxlint-disable-next-line typescript/no-explicit-any
export async function getJson(url: string): Promise<{ readonly status: number; readonly body: any }> {
  const response = await fetch(url)
  return { status: response.status, body: await response.json() }
}
