import { expect, test } from 'vitest'
import {
  type GatewayFacts,
  type GatewayPod,
  gatewayAddress,
  type LiveService,
  type Node,
} from '../../cli/live/gateway-address.ts'

const service = (type: NonNullable<LiveService['spec']['type']>, rest: Partial<LiveService> = {}): LiveService => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'portolan-gateway' },
  spec: { type, ports: [{ name: 'http', port: 80, ...(type === 'ClusterIP' ? {} : { nodePort: 30080 }) }] },
  ...rest,
})
const balanced = (ingress: { ip?: string; hostname?: string }) =>
  service('LoadBalancer', { status: { loadBalancer: { ingress: [ingress] } } })
const node = (name: string, addresses: Readonly<Record<string, string>>, ready = true): Node => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name },
  status: {
    addresses: Object.entries(addresses).map(([type, address]) => ({ type, address })),
    conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
  },
})
const pod = (nodeName: string | undefined, hostPort: number | undefined): GatewayPod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'gateway' },
  spec: {
    ...(nodeName === undefined ? {} : { nodeName }),
    containers: [{ ports: [{ ...(hostPort === undefined ? {} : { hostPort }) }, {}] }],
  },
})
const NODES = [
  node('b', { InternalIP: '10.0.0.2' }),
  node('a', { InternalIP: '10.0.0.1', ExternalIP: '192.0.2.1', Hostname: 'a' }),
]

test.each<[string, Partial<GatewayFacts>, string]>([
  ['a load balancer with an address', { service: balanced({ ip: '192.0.2.9' }) }, '192.0.2.9:80'],
  ['a load balancer with a name', { service: balanced({ hostname: 'lb.example' }) }, 'lb.example:80'],
  ['a node port, on the first node', { service: service('NodePort') }, '192.0.2.1:30080'],
  [
    'a node port, on the first node that is ready',
    { service: service('NodePort'), nodes: [node('a', { InternalIP: '10.0.0.1' }, false), ...NODES.slice(0, 1)] },
    '10.0.0.2:30080',
  ],
  ['a host port, on a node that has a gateway', { service: service('ClusterIP'), pods: [pod('b', 81)] }, '10.0.0.2:81'],
  [
    'a host port rather than the pending load balancer',
    { service: service('LoadBalancer'), pods: [pod('b', 81), pod('a', 81)] },
    '192.0.2.1:81',
  ],
  [
    'a load balancer rather than the host port',
    { service: balanced({ ip: '192.0.2.9' }), pods: [pod('a', 81)] },
    '192.0.2.9:80',
  ],
])('finds %s', (_, facts, expected) => {
  const found = gatewayAddress({ service: undefined, pods: [pod('a', undefined)], nodes: NODES, ...facts })
  expect('unknown' in found ? found : `${found.host}:${found.port}`).toBe(expected)
})

test.each<[Partial<GatewayFacts>, string]>([
  [{}, 'there is no Service portolan-gateway'],
  [
    { service: service('LoadBalancer') },
    'Service portolan-gateway has no address yet: nothing in the cluster has given its load balancer one',
  ],
  [{ service: service('ClusterIP') }, 'Service portolan-gateway can be reached inside the cluster only'],
  [{ service: service('ClusterIP'), pods: [pod('gone', 81)] }, 'node gone of the gateway has no address'],
  [
    { service: service('ClusterIP'), pods: [pod(undefined, 81)] },
    'Service portolan-gateway can be reached inside the cluster only',
  ],
  [{ service: service('NodePort'), nodes: [] }, 'no node of the cluster is ready and has an address'],
])('says why it cannot tell: %#', (facts, unknown) => {
  const found = gatewayAddress({ service: undefined, pods: [], nodes: NODES, ...facts })
  expect(found).toMatchObject({ unknown })
  // Another Service would help where that is what is wrong.
  expect('instead' in found).toBe(unknown.startsWith('Service '))
})
