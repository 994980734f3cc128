import type { EndpointSlice, Namespace, Service } from '../../api/core.ts'
import type { McsExport } from '../../api/mcs.ts'
import type { KubeObject } from '../../api/meta.ts'
import { CLUSTER_CONFIGMAP, IDENTITY_CONFIGMAP, MCS_GROUP, TRUST_CONFIGMAP } from '../../api/names.ts'
import {
  CONFIGMAPS,
  type ConfigMap,
  ENDPOINT_SLICES,
  MCS_EXPORTS,
  MCS_EXPORTS_OLDER,
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
import { SLICES_MANAGED_BY, SLICES_MANAGED_BY_LABEL } from '../slices.ts'
import {
  type Observed,
  type ObservedImport,
  observeExport,
  observeImport,
  observeMcsExport,
  observeNamespace,
  observeService,
} from './observed.ts'
import {
  type ObservedCopy,
  type ObservedSlice,
  observeCopy,
  observeSlice,
  SERVICE_NAME_LABEL,
} from './observed-slices.ts'
import { type Vouching, vouchingOf } from './observed-trust.ts'
import { isSound } from './sound.ts'

export interface SourceOptions {
  readonly client: KubeClient
  /** Portolan's own in the member. */
  readonly namespace: string
  /** Longest wait between two tries. */
  readonly mostRetryMs: number
  /** @param optional it is no trouble when the hub may not look, or there is nothing of the kind */
  readonly observe: (resource: string, event: InformerEvent, optional: boolean) => void
  readonly onChange: () => void
}

/** All that the hub sees of one member, kept up to date. */
export interface Sources {
  /** Nothing until everything has been listed. */
  readonly observed: () => Observed | undefined
  readonly hasSynced: () => boolean
  readonly synced: () => Promise<unknown>
  /** Whether slices of the member's own Services are of any use. At first they are not. */
  readonly watchSlices: (wanted: boolean) => void
  /** Takes note of an object as the API server answered a write. */
  readonly written: (object: KubeObject) => void
  readonly stop: () => Promise<unknown>
}

/** An informer whose kind may be missing, or out of the hub's sight. */
interface Optional<S extends KubeObject> {
  readonly informer: Informer<S>
  readonly refusal: () => 'Forbidden' | 'NotFound' | undefined
  /** Whether there is an answer, be it a refusal. */
  readonly isKnown: () => boolean
  /** Whether the first try is still under way. */
  readonly isAwaited: () => boolean
  readonly known: Promise<void>
}

const NONE: ReadonlyMap<string, never> = new Map<string, never>()

export function startSources({ client, namespace, mostRetryMs, observe, onChange }: SourceOptions): Sources {
  const started: Informer<KubeObject>[] = []

  function start<T extends KubeObject, S extends KubeObject = T>(
    rest: Omit<InformerOptions<T, S>, 'client' | 'backoff'>,
  ): Informer<S> {
    const versions = [rest.resource, ...(rest.older ?? [])]
    const informer = startInformer<T, S>({
      client,
      backoff: { firstMs: 250, mostMs: mostRetryMs },
      observe: (event) => observe(rest.resource.plural, event, false),
      ...rest,
      keep: (object) => (versions.some((each) => isSound(object, each)) ? rest.keep?.(object) : undefined),
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

  /** What members of an older release do not let the hub see, or have no kind for. */
  function startOptional<S extends KubeObject>(
    what: string,
    begin: (tell: (event: InformerEvent) => void) => Informer<S>,
  ): Optional<S> {
    const known = Promise.withResolvers<void>()
    let refusal: 'Forbidden' | 'NotFound' | undefined
    let hasFailed = false
    const informer = begin((event) => {
      const before = [refusal, hasFailed]
      if (event.type === 'failed') {
        hasFailed = true
        const { reason } = event.failure
        if (reason === 'Forbidden' || reason === 'NotFound') refusal = reason
      } else if (event.type === 'listed' || event.type === 'watching') refusal = undefined
      if (refusal !== undefined) known.resolve()
      observe(what, event, true)
      if (before[0] !== refusal || before[1] !== hasFailed) onChange()
    })
    void informer.synced().then(known.resolve)
    return {
      informer,
      refusal: () => refusal,
      isKnown: () => refusal !== undefined || informer.hasSynced(),
      isAwaited: () => !hasFailed && !informer.hasSynced(),
      known: known.promise,
    }
  }

  const startOptionalOne = (name: string) => startOptional(`configmaps/${name}`, (tell) => startOne(name, tell))

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
  const vouching = startOptionalOne(IDENTITY_CONFIGMAP)
  const trust = startOptionalOne(TRUST_CONFIGMAP)
  const trusts = withWrites(trust.informer)
  const standard = startOptional('serviceexports.multicluster.x-k8s.io', (tell) =>
    start<McsExport>({ resource: MCS_EXPORTS, older: MCS_EXPORTS_OLDER, keep: observeMcsExport, observe: tell }),
  )
  const standards = withWrites(standard.informer)
  const copy = startOptional('endpointslices/others', (tell) =>
    start<EndpointSlice, ObservedCopy>({
      resource: ENDPOINT_SLICES,
      scope: { labelSelector: `${SLICES_MANAGED_BY_LABEL}=${SLICES_MANAGED_BY}` },
      keep: observeCopy,
      observe: tell,
    }),
  )
  const copies = withWrites(copy.informer)
  const optional = [vouching, trust, standard, copy]
  let slice: Optional<ObservedSlice> | undefined

  function watchSlices(wanted: boolean) {
    if (wanted === (slice !== undefined)) return
    if (slice !== undefined) {
      started.splice(started.indexOf(slice.informer), 1)
      void slice.informer.stop()
      slice = undefined
    } else
      slice = startOptional('endpointslices', (tell) =>
        start<EndpointSlice, ObservedSlice>({
          resource: ENDPOINT_SLICES,
          scope: { labelSelector: SERVICE_NAME_LABEL },
          keep: observeSlice,
          observe: tell,
        }),
      )
  }

  function lookAtVouching(): Vouching {
    if (vouching.refusal() !== undefined) return { state: 'unreadable' }
    const [object] = vouching.informer.list()
    return object === undefined ? { state: 'none' } : vouchingOf(object)
  }

  /** Nothing where the hub may not look; where there is no such kind, there is none of it. */
  function lookAt<S extends KubeObject>(
    { refusal, isKnown }: Pick<Optional<S>, 'refusal' | 'isKnown'>,
    store: () => ReadonlyMap<string, S>,
  ): ReadonlyMap<string, S> | undefined {
    if (refusal() === 'NotFound') return NONE
    return refusal() === undefined && isKnown() ? store() : undefined
  }

  function lookAtStandard(): Pick<Observed, 'mcsExports' | 'slices' | 'copies'> & { readonly awaitsSlices: boolean } {
    const mcsExports = lookAt(standard, standards.store)
    const slices = slice && lookAt(slice, slice.informer.store)
    const there = lookAt(copy, copies.store)
    return {
      ...(mcsExports === undefined ? {} : { mcsExports }),
      ...(slices === undefined ? {} : { slices }),
      ...(there === undefined ? {} : { copies: there }),
      awaitsSlices: slice?.isAwaited() ?? false,
    }
  }

  const hasSynced = () => needed.every((informer) => informer.hasSynced()) && optional.every(({ isKnown }) => isKnown())
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
            trust:
              trust.refusal() === undefined
                ? { readable: true, object: trusts.store().values().next().value }
                : { readable: false },
            ...lookAtStandard(),
          }
        : undefined,
    synced: () => Promise.all([...needed.map((informer) => informer.synced()), ...optional.map(({ known }) => known)]),
    watchSlices,
    written: (object) => {
      if (object.apiVersion.startsWith(`${MCS_GROUP}/`)) standards.remember(observeMcsExport(object as McsExport))
      else if (object.kind === 'EndpointSlice') copies.remember(observeCopy(object as EndpointSlice))
      else if (object.kind === 'ServiceImport') imports.remember(observeImport(object as ServiceImport))
      else if (object.kind === 'ServiceExport') exports.remember(observeExport(object as ServiceExport))
      else if (object.kind === 'Namespace') namespaces.remember(observeNamespace(object as Namespace))
      else if (object.metadata.name === CLUSTER_CONFIGMAP) identity.remember(object)
      else if (object.metadata.name === TRUST_CONFIGMAP) trusts.remember(object)
    },
    stop: () => Promise.all(started.map((informer) => informer.stop())),
  }
}
