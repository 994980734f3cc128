import { createHash } from 'node:crypto'
import type { Json } from './render-envoy.ts'

/**
 * Key of a bootstrap in its ConfigMap. A proxy reads its bootstrap once. So each form of it has a name of its own, which the
 * chart's Deployment asks for: an upgrade that changes the form replaces the proxies, and the new ones wait until the
 * compiler of their release has written what they need.
 */
export const bootstrapKey = (form: Json): string =>
  `bootstrap-${createHash('sha256').update(JSON.stringify(form)).digest('hex').slice(0, 10)}.json`
