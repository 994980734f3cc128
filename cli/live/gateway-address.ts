import type { Service } from '../../api/core.ts'
import type { KubeObject } from '../../api/meta.ts'
import type { Resource } from '../../kube/object.ts'

/** As far as it is read here. */
export interface LiveService extends Service {
  readonly spec: Service['spec'] & {
    readonly ports?: readonly { readonly name?: string; readonly port: number; readonly nodePort?: number }[]
  }
  readonly status?: {
    readonly loadBalancer?: { readonly ingress?: readonly { readonly ip?: string; readonly hostname?: string }[] }
  }
}

export interface Node extends KubeObject {
  readonly spec?: { readonly unschedulable?: boolean }
  readonly status?: {
    readonly addresses?: readonly { readonly type: string; readonly address: string }[]
    readonly conditions?: readonly { readonly type: string; readonly status: string }[]
  }
}

export interface GatewayPod extends KubeObject {
  readonly spec: {
    readonly nodeName?: string
    readonly containers: readonly { readonly ports?: readonly { readonly hostPort?: number }[] }[]
  }
}

export const NODES: Resource<Node> = { group: '', version: 'v1', plural: 'nodes', kind: 'Node', namespaced: false }

export const GATEWAY_PODS: Resource<GatewayPod> = {
  group: '',
  version: 'v1',
  plural: 'pods',
  kind: 'Pod',
  namespaced: true,
}

export interface GatewayFacts {
  readonly service: LiveService | undefined
  readonly pods: readonly GatewayPod[]
  readonly nodes: readonly Node[]
}

/** Where other clusters reach the gateway; or why that cannot be told. */
export type GatewayAddress =
  | { readonly host: string; readonly port: number; readonly by: string }
  | {
      readonly unknown: string
      /** What would give it one. */
      readonly instead?: string
    }

/**
 * Finds a gateway's address: of its load balancer, else the port that it has on its nodes, else the port of its Service on
 * every node. Of several nodes the first that is ready, by name.
 */
export function gatewayAddress({ service, pods, nodes }: GatewayFacts): GatewayAddress {
  if (service === undefined) return { unknown: 'there is no Service portolan-gateway' }
  const [port] = service.spec.ports ?? []
  const [ingress] = service.status?.loadBalancer?.ingress ?? []
  const balanced = ingress?.ip ?? ingress?.hostname
  if (port !== undefined && balanced) return { host: balanced, port: port.port, by: 'its load balancer' }

  const onNodes = pods
    .flatMap(({ spec }) =>
      spec.containers.flatMap(({ ports = [] }) => ports.map(({ hostPort }) => [spec, hostPort] as const)),
    )
    .flatMap(([{ nodeName }, hostPort]) => (nodeName === undefined || !hostPort ? [] : [{ nodeName, hostPort }]))
    .toSorted((a, b) => (a.nodeName < b.nodeName ? -1 : 1))
  const [first] = onNodes
  if (first !== undefined) {
    const host = addressOf(nodes.find(({ metadata }) => metadata.name === first.nodeName))
    if (host === undefined) return { unknown: `node ${first.nodeName} of the gateway has no address` }
    return { host, port: first.hostPort, by: `the host port on node ${first.nodeName}` }
  }
  if (port?.nodePort !== undefined && service.spec.type === 'NodePort') return byNodePort(port.nodePort, nodes)
  return {
    unknown:
      service.spec.type === 'LoadBalancer'
        ? 'Service portolan-gateway has no address yet: nothing in the cluster has given its load balancer one'
        : 'Service portolan-gateway can be reached inside the cluster only',
    instead: 'have it listen on the nodes: portolan install --gateway-host-port PORT, or --gateway-type NodePort',
  }
}

function byNodePort(port: number, nodes: readonly Node[]): GatewayAddress {
  const ready = nodes
    .filter(({ status }) => status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True'))
    .toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
  for (const node of ready) {
    const host = addressOf(node)
    if (host !== undefined) return { host, port, by: `the node port, on node ${node.metadata.name}` }
  }
  return { unknown: 'no node of the cluster is ready and has an address' }
}

function addressOf(node: Node | undefined): string | undefined {
  const addresses = node?.status?.addresses ?? []
  return ['ExternalIP', 'InternalIP'].map((type) => addresses.find((each) => each.type === type)?.address).find(Boolean)
}
