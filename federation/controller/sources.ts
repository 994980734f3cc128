import type { Namespace, Service } from '../../api/core.ts'
import type { KubeObject } from '../../api/meta.ts'
import { CLUSTER_CONFIGMAP, IDENTITY_CONFIGMAP, TRUST_CONFIGMAP } from '../../api/names.ts'
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
import { type Vouching, vouchingOf } from './observed-trust.ts'
import { isSound } from './sound.ts'

export interface SourceOptions {
  readonly client: KubeClient
  /** Portolan's own in the member. */
  readonly namespace: string
  /** Longest wait between two tries. */
  readonly mostRetryMs: number
  /** @param optional it is no trouble when the hub may not look */
  readonly observe: (resource: string, event: InformerEvent, optional: boolean) => void
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
    rest: Omit<InformerOptions<T, S>, 'client' | 'backoff'>,
  ): Informer<S> {
    const informer = startInformer<T, S>({
      client,
      backoff: { firstMs: 250, mostMs: mostRetryMs },
      observe: (event) => observe(rest.resource.plural, event, false),
      ...rest,
      keep: (object) => (isSound(object, rest.resource.kind) ? rest.keep?.(object) : undefined),
    })
    informer.onChange(onChange)
    started.push(informer)
    return informer
  }

  const startOne = (name: string, tell?: (event: InformerEvent) => void) =>
    start<ConfigMap>({
      resource: CONFIGMAPS,
      scope: { namespace, fieldSelector: `metadata.name=${name}` },
      keep: (object) => object,
      ...(tell === undefined ? {} : { observe: tell }),
    })

  /** A ConfigMap that members of an older release do not let the hub see. */
  function startOptional(name: string) {
    const known = Promise.withResolvers<void>()
    let isForbidden = false
    const informer = startOne(name, (event) => {
      const was = isForbidden
      if (event.type === 'failed' && event.failure.reason === 'Forbidden') isForbidden = true
      else if (event.type === 'listed' || event.type === 'watching') isForbidden = false
      if (isForbidden) known.resolve()
      observe(`configmaps/${name}`, event, true)
      if (was !== isForbidden) onChange()
    })
    void informer.synced().then(known.resolve)
    return {
      informer,
      isReadable: () => !isForbidden,
      isKnown: () => isForbidden || informer.hasSynced(),
      known: known.promise,
    }
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
  const identity = withWrites(startOne(CLUSTER_CONFIGMAP))
  const needed = [...started]
  const vouching = startOptional(IDENTITY_CONFIGMAP)
  const trust = startOptional(TRUST_CONFIGMAP)
  const trusts = withWrites(trust.informer)

  function lookAtVouching(): Vouching {
    if (!vouching.isReadable()) return { state: 'unreadable' }
    const [object] = vouching.informer.list()
    return object === undefined ? { state: 'none' } : vouchingOf(object)
  }

  const hasSynced = () => needed.every((informer) => informer.hasSynced()) && vouching.isKnown() && trust.isKnown()
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
            vouching: lookAtVouching(),
            trust: trust.isReadable()
              ? { readable: true, object: trusts.store().values().next().value }
              : { readable: false },
          }
        : undefined,
    synced: () => Promise.all([...needed.map((informer) => informer.synced()), vouching.known, trust.known]),
    written: (object) => {
      if (object.kind === 'ServiceImport') imports.remember(observeImport(object as ServiceImport))
      else if (object.kind === 'ServiceExport') exports.remember(observeExport(object as ServiceExport))
      else if (object.kind === 'Namespace') namespaces.remember(observeNamespace(object as Namespace))
      else if (object.metadata.name === CLUSTER_CONFIGMAP) identity.remember(object)
      else if (object.metadata.name === TRUST_CONFIGMAP) trusts.remember(object)
    },
    stop: () => Promise.all(started.map((informer) => informer.stop())),
  }
}
