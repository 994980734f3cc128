import type { KubeObject } from '../../api/meta.ts'
import type { KubeClient, Scope } from '../../kube/client.ts'
import type { Failure } from '../../kube/failure.ts'
import { type Informer, type InformerEvent, startInformer } from '../../kube/informer.ts'
import type { Resource } from '../../kube/object.ts'

/** A kind that need not be there. It is asked for again and again, ever more rarely. */
export interface Optional<T extends KubeObject> {
  readonly name: string
  readonly kind: string
  readonly informer: Informer<T>
  /** Why it is taken for absent: it is not there, or not for us to see. */
  readonly absence: () => Failure | undefined
  /** Nothing while it is absent. */
  readonly list: () => readonly T[]
  /** Not listed yet, and may be there. */
  readonly isMissing: () => boolean
}

export interface OptionalOptions<T extends KubeObject> {
  readonly client: KubeClient
  readonly resource: Resource<T>
  /** @see InformerOptions */
  readonly older?: readonly Resource<T>[]
  readonly scope?: Scope
  readonly keep?: (object: T) => T
  readonly name?: string
  readonly observe: (source: string, event: InformerEvent) => void
  readonly onChange: () => void
}

export function startOptional<T extends KubeObject>(options: OptionalOptions<T>): Optional<T> {
  const { client, resource, older = [], scope, keep, name = resource.plural, observe, onChange } = options
  let absence: Failure | undefined
  const informer = startInformer<T>({
    client,
    resource,
    older,
    ...(scope === undefined ? {} : { scope }),
    ...(keep === undefined ? {} : { keep }),
    observe: (event) => {
      observe(name, event)
      const before = absence?.reason
      if (event.type === 'listed' || event.type === 'watching') absence = undefined
      else if (event.type === 'failed' && isAbsence(event)) absence = event.failure
      if (absence?.reason !== before) onChange()
    },
  })
  informer.onChange(onChange)
  return {
    name,
    kind: resource.kind,
    informer,
    absence: () => absence,
    list: () => (absence === undefined ? informer.list() : []),
    isMissing: () => absence === undefined && !informer.hasSynced(),
  }
}

/** The kind is not there, or is not for us to see. */
export const isAbsence = (event: InformerEvent): boolean =>
  event.type === 'failed' && (event.failure.reason === 'NotFound' || event.failure.reason === 'Forbidden')
