import type { Logger } from 'pino'
import type { Counter } from 'prom-client'
import { worthSaying } from './backoff.ts'
import type { InformerEvent } from './informer.ts'

/**
 * Counts and logs what befalls informers. A name such as `configmaps/x` counts as `configmaps`. An optional kind that is
 * not installed is asked for again and again, and nothing to warn of.
 */
export const informerLog =
  (informerEvents: Counter<'resource' | 'event'>, log: Logger) =>
  (resource: string, event: InformerEvent, optional = false): void => {
    informerEvents.inc({ resource: resource.split('/')[0] ?? resource, event: event.type })
    if (event.type === 'failed') {
      const { failure, attempt, retryMs } = event
      const isMissing = optional && failure.reason === 'NotFound'
      const level = worthSaying(attempt) && !isMissing ? 'warn' : 'debug'
      log[level]({ resource, reason: failure.reason, attempt, retryMs }, failure.message)
    } else log.debug({ resource, event: event.type }, 'informer')
  }
