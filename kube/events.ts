import { createHash } from 'node:crypto'
import type { KubeClient } from './client.ts'
import type { Failure } from './failure.ts'
import type { KubeObject, Resource } from './object.ts'

interface Event extends KubeObject {
  readonly type: 'Normal' | 'Warning'
  readonly reason: string
  readonly note: string
  readonly action: string
  readonly regarding: Regarding
  readonly eventTime: string
  readonly reportingController: string
  readonly reportingInstance: string
}

const EVENTS: Resource<Event> = {
  group: 'events.k8s.io',
  version: 'v1',
  plural: 'events',
  kind: 'Event',
  namespaced: true,
}

export interface Regarding {
  readonly apiVersion: string
  readonly kind: string
  readonly namespace?: string
  readonly name: string
  readonly uid?: string
}

export interface Occurrence {
  readonly regarding: Regarding
  readonly type: 'Normal' | 'Warning'
  /** A code of the catalogue. */
  readonly reason: string
  /** At most 1 kB; cut when longer. */
  readonly note: string
  /** What was being done, in UpperCamelCase. */
  readonly action: string
}

export interface Recorder {
  /** Never rejects and never throws: an Event is a courtesy. Resolves when written, or dropped as a repetition. */
  readonly record: (occurrence: Occurrence) => Promise<void>
}

export interface RecorderOptions {
  readonly client: KubeClient
  readonly controller: string
  readonly instance: string
  /** The same occurrence is not written again for so long; default 10 minutes. */
  readonly repeatMs?: number
  /** Where Events about cluster-scoped objects go. */
  readonly defaultNamespace?: string
  readonly now?: () => number
  readonly onFailure?: (failure: Failure) => void
}

/** How many occurrences are remembered; the oldest is forgotten first. */
const MEMORY = 5_000

export function createRecorder(options: RecorderOptions): Recorder {
  const { client, controller, instance, repeatMs = 600_000, defaultNamespace = 'default', now = Date.now } = options
  const { onFailure = () => undefined } = options
  const written = new Map<string, { readonly at: number; readonly count: number }>()

  return {
    record: async (occurrence) => {
      const name = eventName(occurrence)
      const before = written.get(name)
      if (before !== undefined && now() - before.at < repeatMs) return
      const count = (before?.count ?? 0) + 1
      written.delete(name)
      written.set(name, { at: now(), count })
      if (written.size > MEMORY) written.delete(written.keys().next().value ?? name)

      const { regarding, type, reason, action } = occurrence
      const namespace = regarding.namespace ?? defaultNamespace
      const eventTime = new Date(now()).toISOString().replace('Z', '000Z')
      const created = await client.create(EVENTS, {
        metadata: { namespace, name },
        type,
        reason,
        action,
        regarding,
        note: occurrence.note.slice(0, 1_000),
        eventTime,
        reportingController: controller,
        reportingInstance: instance,
      })
      if (created.ok) return
      if (created.failure.reason !== 'AlreadyExists') return onFailure(created.failure)
      // Written before, by an earlier life of this process or an hour ago: one more of the same series.
      const series = { count: Math.max(2, count), lastObservedTime: eventTime }
      const counted = await client.patch(EVENTS, { namespace, name }, { type: 'merge', body: { series } })
      if (!counted.ok) onFailure(counted.failure)
    },
  }
}

/** The same occurrence has the same name, whoever reports it. */
function eventName({ regarding, reason, note }: Occurrence): string {
  const about = [regarding.kind, regarding.namespace, regarding.name, regarding.uid, reason, note]
  const hash = createHash('sha256').update(JSON.stringify(about)).digest('hex').slice(0, 16)
  return `${regarding.name.slice(0, 200)}.${hash}`
}
