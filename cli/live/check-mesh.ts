import type { Namespace } from '../../api/core.ts'
import { type Code, levelOf } from '../../api/diagnostics.ts'
import type { Issue } from '../../api/issue.ts'
import type { McsExport } from '../../api/mcs.ts'
import type { Condition } from '../../api/meta.ts'
import { DNS_CONFIGMAP, EGRESS_CONFIGMAP, GATEWAY_CONFIGMAP, INJECTION, ROUTES_CONFIGMAP } from '../../api/names.ts'
import type { ConfigMap } from '../../api/resources.ts'
import type { ServiceExport } from '../../api/service-export.ts'
import { familyOf } from '../../api/vip-range.ts'
import { auditMesh, auditSidecars } from '../../compiler/controller/audit.ts'
import { observeTable } from '../../compiler/controller/observed.ts'
import { hasSidecar, isOver, type MeshPod } from '../../compiler/controller/pods.ts'
import { dnsFiles } from '../../compiler/files.ts'
import { byKey } from '../../compiler/keys.ts'
import { scopesOf } from '../../compiler/scope.ts'
import type { Snapshot } from '../../compiler/snapshot.ts'
import { ENDPOINTS_READY } from '../../compiler/status.ts'
import type { Tables } from '../../compiler/tables.ts'
import { clusterAddress } from '../../compiler/world.ts'
import { interceptionOf } from '../../webhook/interception.ts'
import { overlap } from '../../webhook/networks.ts'
import { podSecurity } from '../../webhook/pod-security.ts'
import { refOf } from '../objects.ts'
import { amount } from '../print.ts'
import { type Check, type Found, found, foundCondition, foundIssue, reading } from './checks.ts'

const DNS_SERVICE = 'portolan-dns'

const dns: Check = {
  name: 'mesh-dns',
  title: 'mesh DNS has its address',
  look: ({ snapshot, namespace }) =>
    reading(snapshot, { kind: 'Service', namespace, name: DNS_SERVICE }, ({ services }) => {
      const service = byKey(services).get(`${namespace}/${DNS_SERVICE}`)
      const object = { kind: 'Service', namespace, name: DNS_SERVICE }
      return {
        seen: service === undefined ? '' : `${clusterAddress(service)}`,
        found: service === undefined ? [found('DnsServiceMissing', object)] : [],
      }
    }),
}

const meshConfig: Check = {
  name: 'mesh-config',
  title: 'settings of the mesh are there',
  look: (facts) => {
    const object = { kind: 'MeshConfig', ...facts.mesh.meshConfig }
    return reading(facts.meshConfig, object, (config) => ({
      seen: `${object.namespace}/${object.name}`,
      found: config === undefined ? [found('MeshConfigMissing', object)] : [],
    }))
  },
}

const namespaces: Check = {
  name: 'namespaces',
  title: 'namespaces of the mesh ask for sidecars',
  look: ({ snapshot, pods, meshConfig: config }) =>
    reading(snapshot, { kind: 'Namespace', name: 'all' }, (value) => {
      const members = membersOf(value)
      return {
        seen: members.map(({ metadata }) => metadata.name).join(', ') || 'the mesh has none yet',
        found: members.flatMap((each) => [
          ...injectionOf(each, pods.ok ? pods.value : []),
          ...podSecurity(each, interceptionOf(undefined, each, config.ok ? config.value?.spec : undefined)).map(
            foundIssue,
          ),
        ]),
      }
    }),
}

function membersOf(snapshot: Snapshot): readonly Namespace[] {
  const members = new Set(scopesOf(snapshot).map(({ namespace }) => namespace))
  return snapshot.namespaces.filter(({ metadata }) => members.has(metadata.name))
}

const asks = ({ metadata }: { readonly metadata: { readonly annotations?: Readonly<Record<string, string>> } }) =>
  INJECTION.map((name) => metadata.annotations?.[name]).find((value) => value !== undefined)

function injectionOf(namespace: Namespace, pods: readonly MeshPod[]): readonly Found[] {
  const object = refOf(namespace)
  const value = asks(namespace)
  if (value === undefined) {
    const own = pods.filter(({ metadata }) => metadata.namespace === namespace.metadata.name)
    return own.some((pod) => asks(pod) !== undefined) ? [] : [found('NamespaceWithoutInjection', object)]
  }
  if (['enabled', 'disabled'].includes(value)) return []
  const path = `metadata.annotations[${INJECTION[0]}]`
  return [foundIssue({ code: 'InjectionValueUnknown', object, path, value })]
}

const sidecars: Check = {
  name: 'sidecars',
  title: 'pods have the sidecars that they should',
  look: ({ pods, snapshot, meshConfig: config, mesh, namespace }) =>
    reading(pods, { kind: 'Pod', name: 'all' }, (all) => {
      const here = snapshot.ok
        ? new Map(membersOf(snapshot.value).map((each) => [each.metadata.name, each]))
        : new Map()
      const settings = auditMesh(mesh, namespace, config.ok ? config.value : undefined)
      const missing = auditSidecars(all, here, settings)
      return {
        seen: `${amount(all.filter((pod) => hasSidecar(pod) && !isOver(pod)).length, 'pod')} with one`,
        found: missing.map(({ issue }) => foundIssue(issue)),
      }
    }),
}

const tables: Check = {
  name: 'tables',
  title: 'the tables are those that compiling gives now',
  look: ({ tables: compiled, maps, namespace }) =>
    reading(compiled, { kind: 'ConfigMap', name: ROUTES_CONFIGMAP }, (wanted) =>
      reading(maps, { kind: 'ConfigMap', name: ROUTES_CONFIGMAP }, (all) => ({
        seen: `${amount(wanted.sidecars.length, 'namespace')}, gateway, names`,
        found: tablesOf(wanted, all, namespace),
      })),
    ),
}

function tablesOf(compiled: Tables, maps: readonly ConfigMap[], namespace: string) {
  const { sidecars: all, gateway, egress } = compiled
  const there = byKey(maps)
  const table = (of: string, name: string, fits: (map: ConfigMap) => boolean): readonly Found[] => {
    const map = there.get(`${of}/${name}`)
    const object = { kind: 'ConfigMap', namespace: of, name }
    if (map === undefined) return [found('TableMissing', object)]
    return fits(map) ? [] : [found('TableOutdated', object)]
  }
  const names = Object.entries(dnsFiles(compiled, namespace).files)
  return [
    ...all.flatMap((each) =>
      table(each.namespace, ROUTES_CONFIGMAP, (map) => observeTable(map).version === each.version),
    ),
    ...table(namespace, GATEWAY_CONFIGMAP, (map) => observeTable(map).version === gateway.version),
    ...(egress ? table(namespace, EGRESS_CONFIGMAP, (map) => observeTable(map).version === egress.version) : []),
    ...table(namespace, DNS_CONFIGMAP, (map) => names.every(([key, text]) => map.data?.[key] === text)),
  ]
}

const policies: Check = {
  name: 'policies',
  title: 'policies are in force and proxies run them',
  look: ({ snapshot }) =>
    reading(snapshot, { kind: 'GlobalTrafficPolicy', name: 'all' }, ({ policies: all }) => ({
      seen: all.length === 1 ? '1 policy' : `${all.length} policies`,
      found: all.flatMap((policy) =>
        (policy.status?.conditions ?? [])
          .filter(({ status, reason }) => status === 'False' || reason === 'ProxyUnreachable')
          .map((condition) => foundCondition(policy, condition)),
      ),
    })),
}

const services: Check = {
  name: 'services',
  title: 'exports are valid and agree with those of other clusters',
  look: ({ snapshot, tables: compiled }) =>
    reading(compiled, { kind: 'ServiceExport', name: 'all' }, ({ issues }) => {
      const { exports = [], mcsExports = [], imports = [] } = snapshot.ok ? snapshot.value : {}
      return {
        seen: `${amount(exports.length, 'export')}, ${amount(imports.length, 'import')}`,
        found: [
          ...issues.filter(isWrong).map(foundIssue),
          ...[...exports, ...mcsExports].flatMap((each) =>
            (each.status?.conditions ?? [])
              .filter((condition) => isBad(each, condition))
              .map((condition) => foundCondition(each, condition)),
          ),
        ],
      }
    }),
}

/** What is to be told of an export, beside what compiling it says. */
const BAD: Readonly<Record<string, Condition['status']>> = { Conflict: 'True', [ENDPOINTS_READY]: 'False' }

/** An export that is for nobody may wait for the first other cluster; not so one that names whom it is for. */
const isBad = ({ spec }: ServiceExport | McsExport, { type, status, reason }: Condition): boolean =>
  status === BAD[type] || (reason === ('NoImporter' satisfies Code) && spec !== undefined && 'targetClusters' in spec)

/** Of policies their conditions tell. */
const isWrong = (issue: Issue): boolean => levelOf(issue) !== 'info' && issue.object.kind !== 'GlobalTrafficPolicy'

const range: Check = {
  name: 'vip-range',
  title: 'the range of imports belongs to nobody else',
  look: ({ mesh, nodes, serviceRanges, snapshot }) =>
    reading(nodes, { kind: 'Node', name: 'all' }, (all) => {
      const ranges = serviceRanges.ok ? serviceRanges.value : []
      const addresses = snapshot.ok ? snapshot.value.services : []
      const taken = [
        ...all.flatMap(({ metadata, spec, status }) => [
          ...(spec.podCIDRs ?? []).map((cidr) => ({ what: 'the pods of node', name: metadata.name, cidr })),
          ...(status?.addresses ?? [])
            .filter(({ type }) => type === 'InternalIP')
            .map(({ address }) => ({ what: 'node', name: metadata.name, cidr: single(address) })),
        ]),
        ...ranges.flatMap(({ metadata, spec }) =>
          (spec.cidrs ?? []).map((cidr) => ({ what: 'ServiceCIDR', name: metadata.name, cidr })),
        ),
        ...addresses.flatMap((service) => {
          const address = clusterAddress(service)
          const { namespace, name } = service.metadata
          return address === undefined ? [] : [{ what: 'Service', name: `${namespace}/${name}`, cidr: single(address) }]
        }),
      ]
      return {
        seen: mesh.vipRange,
        found: taken
          .filter(({ cidr }) => overlap(mesh.vipRange, cidr))
          .map(({ what, name, cidr }) =>
            found(
              'VipRangeTaken',
              { kind: what.startsWith('S') ? what : 'Node', name },
              { range: mesh.vipRange, what, taken: cidr },
            ),
          ),
      }
    }),
}

/**
 * Told by Services and their ranges, and by pods' own where nodes have them: nodes may well have addresses of a family
 * that their pods lack.
 */
const families: Check = {
  name: 'ip-families',
  title: 'pods have addresses of the family that imports have',
  look: ({ mesh, nodes, serviceRanges, snapshot }) =>
    reading(snapshot, { kind: 'Service', name: 'all' }, ({ services: all }) => {
      const cidrs = [
        ...(nodes.ok ? nodes.value.flatMap(({ spec }) => spec.podCIDRs ?? []) : []),
        ...(serviceRanges.ok ? serviceRanges.value.flatMap(({ spec }) => spec.cidrs ?? []) : []),
      ]
      const there = new Set([...all.flatMap(({ spec }) => spec.ipFamilies ?? []), ...cidrs.map(familyName)])
      const family = familyName(mesh.vipRange)
      const lacks = there.size > 0 && !there.has(family)
      const params = { range: mesh.vipRange, family, has: [...there].sort().join(' and ') }
      return {
        seen: [...there].sort().join(' and '),
        found: lacks ? [found('VipRangeOtherFamily', { kind: 'Node', name: 'all' }, params)] : [],
      }
    }),
}

const familyName = (cidr: string): string => `IPv${familyOf(cidr)}`

const single = (address: string): string => `${address}/${address.includes(':') ? 128 : 32}`

export const meshChecks: readonly Check[] = [
  dns,
  meshConfig,
  namespaces,
  sidecars,
  tables,
  policies,
  services,
  range,
  families,
]
