import type { Context, TextMapPropagator } from '@opentelemetry/api'

/** Several propagators as one, in this order. One that throws is passed over. */
export function compositePropagator(propagators: readonly TextMapPropagator[]): TextMapPropagator {
  const parts = [...propagators]
  return {
    inject(context, carrier, setter) {
      for (const part of parts) {
        try {
          part.inject(context, carrier, setter)
        } catch {
          // Third-party code: what it would have written is missing, and the request goes out.
        }
      }
    },
    extract(context, carrier, getter) {
      let extracted: Context = context
      for (const part of parts) {
        try {
          extracted = part.extract(extracted, carrier, getter)
        } catch {
          // Third-party code: what the others found still counts.
        }
      }
      return extracted
    },
    fields: () => [...new Set(parts.flatMap((part) => part.fields()))],
  }
}
