import { isIP } from 'node:net'
import { type Code, formatProblem } from '../api/diagnostics.ts'
import type { Issue } from '../api/issue.ts'
import type { McsImport, McsPort } from '../api/mcs.ts'
import { CLUSTERSET_DOMAIN, MCS_GROUP, MCS_SERVICE_NAME_LABEL } from '../api/names.ts'
import type { ServiceImport } from '../api/service-import.ts'
import { derivedAddresses } from './derived.ts'
import { isHeadless } from './dns-names.ts'
import { keyOf } from './keys.ts'
import type { WantedObject, WantedStatus } from './objects.ts'
import type { Snapshot } from './snapshot.ts'
import { isTcp, type World } from './world.ts'

type Family = 'IPv4' | 'IPv6'
type Standard = NonNullable<ServiceImport['spec']['standard']>

interface Imported {
  readonly object: ServiceImport
  /** What sidecars capture. */
  readonly vip: string | undefined
  readonly routed: { readonly issues: readonly Issue<Code>[] }
}

/** The standard's ServiceImports: one for each import that some cluster exports by the standard. */
export const standardImports = (
  snapshot: Pick<Snapshot, 'mesh' | 'services' | 'endpointSlices'>,
  world: Pick<World, 'services'>,
  imports: readonly Imported[],
): readonly WantedObject[] => {
  const wanted = imports.flatMap(({ object, vip, routed }) => {
    const { standard } = object.spec
    const full = routed.issues.find(({ code }) => code === 'EgressFull')
    return standard === undefined ? [] : [{ object, vip, standard, ...(full ? { full } : {}) }]
  })
  if (wanted.length === 0) return []
  const families = familiesOf(snapshot.services)
  const sliced = new Set(
    snapshot.endpointSlices.map(
      ({ metadata: { namespace, labels } }) => `${namespace}/${labels?.[MCS_SERVICE_NAME_LABEL]}`,
    ),
  )
  const egress = snapshot.mesh.egressNamespace !== undefined
  return wanted.map(({ object, vip, ...rest }) => {
    const key = keyOf(object)
    const captured = vip === undefined ? [] : [vip]
    const addresses = egress ? derivedAddresses(world.services, key) : captured
    return standardImport({ object, ...rest, addresses, families, hasSlices: sliced.has(key) })
  })
}

/**
 * The IP families that a cluster has, as its Services show them: Service default/kubernetes tells the first, others with
 * an address of the second that there is one. None when nothing is known.
 */
const familiesOf = (services: Snapshot['services']): ReadonlySet<Family> =>
  new Set(
    services.flatMap(({ spec: { clusterIP = '', clusterIPs = [clusterIP] } }) =>
      clusterIPs.flatMap((address) => familyOf(address) ?? []),
    ),
  )

const familyOf = (address: string): Family | undefined => {
  const family = isIP(address)
  return family === 0 ? undefined : `IPv${family as 4 | 6}`
}

interface Situation {
  readonly object: ServiceImport
  readonly standard: Standard
  /** At which pods without a sidecar call it, as far as they are known. */
  readonly addresses: readonly string[]
  /** Why nobody takes calls at these addresses, where that is so. */
  readonly full?: Issue<Code>
  readonly families: ReadonlySet<Family>
  readonly hasSlices: boolean
}

const standardImport = (situation: Situation): WantedObject => {
  const { object, standard, families } = situation
  const { namespace = 'default', name } = object.metadata
  const {
    sessionAffinity,
    sessionAffinitySeconds: timeoutSeconds,
    internalTrafficPolicy,
    trafficDistribution,
  } = standard
  const { ready, ips } = readinessOf(situation)
  const ipFamilies = usable(standard, families)
  const spec: McsImport['spec'] = {
    type: isHeadless(object) ? 'Headless' : 'ClusterSetIP',
    ports: object.spec.ports.map(portOf),
    ...(ips.length === 0 ? {} : { ips }),
    ...(ipFamilies === undefined ? {} : { ipFamilies }),
    ...(sessionAffinity === undefined ? {} : { sessionAffinity }),
    ...(timeoutSeconds === undefined ? {} : { sessionAffinityConfig: { clientIP: { timeoutSeconds } } }),
    ...(internalTrafficPolicy === undefined ? {} : { internalTrafficPolicy }),
    ...(trafficDistribution === undefined ? {} : { trafficDistribution }),
  }
  return {
    kind: 'ServiceImport',
    namespace,
    name,
    ...(standard.labels === undefined ? {} : { labels: standard.labels }),
    ...(standard.annotations === undefined ? {} : { annotations: standard.annotations }),
    fields: { spec },
    status: {
      conditions: [ready],
      extra: {
        clusters: standard.clusters.map((cluster) => ({ cluster })),
        endpointSliceObjects: situation.hasSlices ? 'Present' : 'Absent',
      },
    },
  }
}

const portOf = ({ name, port, protocol = 'TCP', appProtocol }: ServiceImport['spec']['ports'][number]): McsPort => ({
  ...(name === undefined ? {} : { name }),
  port,
  protocol,
  ...(appProtocol === undefined ? {} : { appProtocol }),
})

/** Of the service's families those that this cluster has; all of the service's when it has none of them. */
const usable = ({ ipFamilies }: Standard, families: ReadonlySet<Family>): Standard['ipFamilies'] => {
  const shared = ipFamilies?.filter((family) => families.has(family)) ?? []
  return shared.length === 0 ? ipFamilies : shared
}

type Condition = WantedStatus['conditions'][number]

/** Whether calls can be made, and at what addresses. */
const readinessOf = ({
  object,
  standard: { ipFamilies = [] },
  addresses,
  full,
  families,
}: Situation): { readonly ready: Condition; readonly ips: readonly string[] } => {
  const reference = { kind: 'ServiceImport', group: MCS_GROUP, ...namesOf(object) }
  const say = (code: Code, params: Issue['params'] = {}) =>
    formatProblem({ code, object: reference, path: '', params } satisfies Issue<Code>)
  const not = (reason: string, message: string, ips: readonly string[] = []) => ({
    ready: { type: 'Ready', status: 'False', reason, message } as const,
    ips,
  })
  const isForeign = ipFamilies.length > 0 && families.size > 0 && !ipFamilies.some((family) => families.has(family))
  if (isForeign)
    return not(
      'IPFamilyNotSupported',
      say('IPFamilyNotSupported', { families: ipFamilies.join(', '), own: [...families].sort().join(', ') }),
    )
  const name = `${object.metadata.name}.${object.metadata.namespace ?? 'default'}.svc.${CLUSTERSET_DOMAIN}`
  const ready = (message: string): Condition => ({ type: 'Ready', status: 'True', reason: 'Ready', message })
  if (isHeadless(object)) return { ready: ready(say('ReadyByPod', { name })), ips: [] }
  if (!object.spec.ports.some(isTcp)) return not('NoPortCarried', say('NoPortCarried'))
  if (full !== undefined) return not(full.code, formatProblem(full), addresses)
  if (addresses.length === 0) return not('Pending', say('AddressPending', { service: keyOf(object) }))
  return { ready: ready(say('ReadyAt', { name, addresses: addresses.join(', ') })), ips: addresses }
}

const namesOf = ({ metadata: { namespace = 'default', name } }: ServiceImport) => ({ namespace, name })
