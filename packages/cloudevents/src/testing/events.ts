import type { CloudEvent } from '../index.ts'

export const traceId = '0af7651916cd43dd8448eb211c80319c'
export const spanId = 'b7ad6b7169203331'
export const traceparent: string = `00-${traceId}-${spanId}-01`

/** An event with every core attribute, and an extension of each type that all modes keep. */
export const fullEvent: CloudEvent = {
  id: 'A234-1234-1234',
  source: '/mycontext/4',
  type: 'com.example.someevent',
  subject: 'partnerid/5:clientid/100',
  time: '2018-04-05T17:31:00Z',
  datacontenttype: 'application/json',
  dataschema: 'urn:example:schema:1',
  extensions: { comexampleextension1: 'value' },
  data: { appinfoA: 'abc', appinfoB: 123, appinfoC: true },
}

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

export function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes)
}

/** Reading gives extensions without a prototype, which deepEqual minds. */
export function plain(event: CloudEvent | undefined): unknown {
  return event === undefined ? undefined : { ...event, extensions: { ...event.extensions } }
}
