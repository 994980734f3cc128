/** Names and addresses of a lab, its clusters and their nodes: pure arithmetic on the lab's slot and the cluster's index. */
import { join } from 'node:path'
import { hostAndPort } from '../../api/vip-range.ts'

export type Family = 4 | 6

/** Of each of a cluster's families, the primary first. */
export type Families = readonly [Family, ...Family[]]

/** Several labs live beside each other on one machine; the slot keeps their kernel objects and addresses apart. */
export interface LabPlan {
  readonly dir: string
  /** 0..99: third byte of the node network and part of every kernel name. */
  readonly slot: number
  /** First part of the name of every link, network namespace and cgroup of this lab. */
  readonly prefix: string
  /** The host's address on the node network, where a server under test may listen. */
  readonly hostAddress: string
  readonly hostAddress6: string
  /** The host's only new link; its peer is a port of the bridge inside `bridgeNamespace`. */
  readonly hostLink: string
  /** The bridge has a namespace of its own so that no firewall rule of the host sees the clusters' traffic. */
  readonly bridgeNamespace: string
}

export interface NodePlan {
  readonly name: string
  readonly dir: string
  /** The primary one. */
  readonly address: string
  /** As many as the cluster has families, in their order. */
  readonly addresses: readonly string[]
  /** The same each time: who talked to the node before need not find out that it is a new one. */
  readonly hardware: string
  readonly podCidrs: readonly string[]
  readonly namespace: string
  /** The bridge's port of this node, inside the bridge's namespace. */
  readonly link: string
  readonly cgroup: string
}

export interface ClusterPlan {
  readonly name: string
  /** 1..89, unique in the lab. */
  readonly index: number
  readonly dir: string
  readonly pki: string
  readonly kubeconfig: string
  readonly server: string
  readonly families: Families
  /** In the order of families. */
  readonly clusterCidrs: readonly string[]
  readonly serviceCidrs: readonly string[]
  readonly apiServiceAddress: string
  readonly dnsAddress: string
  /** The first runs the control plane too. */
  readonly nodes: readonly [NodePlan, ...NodePlan[]]
  /** The kubelets' syncFrequency, as a Go duration. */
  readonly sync: string
}

/** The same in every cluster, on purpose: nothing may depend on clusters having different ranges. */
export const SERVICES = {
  4: { cidr: '10.43.0.0/16', api: '10.43.0.1', dns: '10.43.0.10' },
  6: { cidr: 'fd00:43::/112', api: 'fd00:43::1', dns: 'fd00:43::a' },
} as const satisfies Readonly<Record<Family, object>>
export const API_PORT = 6443
export const MAX_CLUSTERS = 89
export const MAX_LABS = 100

export function planLab(dir: string, slot: number): LabPlan {
  const prefix = slot === 0 ? 'ptl' : `ptl${slot}`
  return {
    dir,
    slot,
    prefix,
    hostAddress: `10.201.${slot}.1`,
    hostAddress6: `fd00:201:${slot + 1}::1`,
    hostLink: `${prefix}-host`,
    bridgeNamespace: `${prefix}-bridge`,
  }
}

export interface ClusterRequest {
  readonly name: string
  readonly index: number
  readonly nodes: number
  readonly sync: string
  /** IPv4 when absent. */
  readonly families?: Families
}

const byte = (value: number): string => value.toString(16).padStart(2, '0')

export function planCluster(lab: LabPlan, { name, index, nodes, sync, families = [4] }: ClusterRequest): ClusterPlan {
  const dir = join(lab.dir, 'clusters', name)
  const node = (ordinal: number): NodePlan => {
    const nodeName = ordinal === 0 ? name : `${name}-${ordinal + 1}`
    // A dot separates the cluster from the ordinal, since a cluster may itself be called east-2.
    const unique = ordinal === 0 ? name : `${name}.${ordinal + 1}`
    const host = 10 + index + 100 * ordinal
    const addresses = families.map((family) =>
      family === 4 ? `10.201.${lab.slot}.${host}` : `fd00:201:${lab.slot + 1}::${host}`,
    )
    return {
      name: nodeName,
      dir: join(dir, 'nodes', nodeName),
      address: addresses[0] ?? '',
      addresses,
      hardware: `02:00:0a:c9:${byte(lab.slot)}:${byte(host)}`,
      podCidrs: families.map((family) =>
        family === 4 ? `10.${100 + index}.${ordinal}.0/24` : `fd00:101:${index}:${ordinal + 1}::/64`,
      ),
      namespace: `${lab.prefix}-${unique}`,
      link: `n${index}-${ordinal + 1}`,
      cgroup: `${lab.prefix}-${unique}`,
    }
  }
  const first = node(0)
  return {
    name,
    index,
    dir,
    pki: join(dir, 'pki'),
    kubeconfig: join(dir, 'admin.kubeconfig'),
    server: `https://${hostAndPort(first.address, API_PORT)}`,
    families,
    clusterCidrs: families.map((family) => (family === 4 ? `10.${100 + index}.0.0/16` : `fd00:101:${index}::/48`)),
    serviceCidrs: families.map((family) => SERVICES[family].cidr),
    apiServiceAddress: SERVICES[families[0]].api,
    dnsAddress: SERVICES[families[0]].dns,
    nodes: [first, ...Array.from({ length: nodes - 1 }, (_, i) => node(i + 1))],
    sync,
  }
}

/** Why a name cannot be a cluster's, or null. It becomes part of host names, paths and kernel object names. */
export function nameProblem(name: string): string | null {
  return /^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$/.test(name)
    ? null
    : `cluster name "${name}": 1 to 20 lower-case letters, digits and dashes are allowed, beginning with a letter`
}
