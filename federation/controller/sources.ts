import type { Namespace, Service } from '../../api/core.ts'
import type { KubeObject } from '../../api/meta.ts'
import { CLUSTER_CONFIGMAP } from '../../api/names.ts'
import {
  CONFIGMAPS,
  type ConfigMap,
  NAMESPACES,
  SERVICE_EXPORTS,
  SERVICE_IMPORTS,
  SERVICES,
} from '../../api/resources.ts'
import type { ServiceExport } from '../../api/service-export.ts'
import type { ServiceImport } from '../../api/service-import.ts'
import type { KubeClient } from '../../kube/client.ts'
import { type Informer, type InformerEvent, type InformerOptions, startInformer } from '../../kube/informer.ts'
import { withWrites } from '../../kube/written.ts'
import {
  type Observed,
  type ObservedImport,
  observeExport,
  observeImport,
  observeNamespace,
  observeService,
} from './observed.ts'

export interface SourceOptions {
  readonly client: KubeClient
  /** Portolan's own in the member. */
  readonly namespace: string
  /** Longest wait between two tries. */
  readonly mostRetryMs: number
  readonly observe: (resource: string, event: InformerEvent) => void
  readonly onChange: () => void
}

/** All that the hub sees of one member, kept up to date. */
export interface Sources {
  /** Nothing until everything has been listed. */
  readonly observed: () => Observed | undefined
  readonly hasSynced: () => boolean
  readonly synced: () => Promise<unknown>
  /** Takes note of an object as the API server answered a write. */
  readonly written: (object: KubeObject) => void
  readonly stop: () => Promise<unknown>
}

export function startSources({ client, namespace, mostRetryMs, observe, onChange }: SourceOptions): Sources {
  const started: Informer<KubeObject>[] = []

  function start<T extends KubeObject, S extends KubeObject = T>(
    rest: Omit<InformerOptions<T, S>, 'client' | 'observe' | 'backoff'>,
  ): Informer<S> {
    const informer = startInformer<T, S>({
      client,
      backoff: { firstMs: 250, mostMs: mostRetryMs },
      observe: (event) => observe(rest.resource.plural, event),
      ...rest,
    })
    informer.onChange(onChange)
    started.push(informer)
    return informer
  }

  const services = start<Service>({ resource: SERVICES, keep: observeService })
  const exports = withWrites(start<ServiceExport>({ resource: SERVICE_EXPORTS, keep: observeExport }))
  const namespaces = withWrites(start<Namespace>({ resource: NAMESPACES, keep: observeNamespace }))
  const imports = withWrites(
    start<ServiceImport, ObservedImport>({
      resource: SERVICE_IMPORTS,
      keep: observeImport,
    }),
  )
  const identity = withWrites(
    start<ConfigMap>({
      resource: CONFIGMAPS,
      scope: { namespace, fieldSelector: `metadata.name=${CLUSTER_CONFIGMAP}` },
      keep: (object) => object,
    }),
  )

  const hasSynced = () => started.every((informer) => informer.hasSynced())
  return {
    hasSynced,
    observed: () =>
      hasSynced()
        ? {
            exports: exports.store(),
            services: services.store(),
            imports: imports.store(),
            namespaces: namespaces.store(),
            identity: identity.store().values().next().value,
          }
        : undefined,
    synced: () => Promise.all(started.map((informer) => informer.synced())),
    written: (object) => {
      if (object.kind === 'ServiceImport') imports.remember(observeImport(object as ServiceImport))
      else if (object.kind === 'ServiceExport') exports.remember(observeExport(object as ServiceExport))
      else if (object.kind === 'Namespace') namespaces.remember(observeNamespace(object as Namespace))
      else if (object.kind === 'ConfigMap') identity.remember(object)
    },
    stop: () => Promise.all(started.map((informer) => informer.stop())),
  }
}
