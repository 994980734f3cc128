import fc from 'fast-check'
import type { Container, Pod } from '../../webhook/decision.ts'

const name = fc.stringMatching(/^[a-z]{1,8}$/)
const key = fc.constantFrom('team', 'a/b', 'x~y/z', 'prometheus.io/scrape', 'kubectl.kubernetes.io/default-container')
const optional = { requiredKeys: [] as never[] }

const container: fc.Arbitrary<Container> = fc.record(
  {
    name,
    image: name,
    ports: fc.array(fc.record({ containerPort: fc.integer({ min: 1, max: 65535 }) }), { maxLength: 2 }),
    securityContext: fc.record({ runAsUser: fc.integer({ min: 14_990, max: 16_010 }) }),
    env: fc.array(fc.record({ name: fc.oneof(name, fc.constantFrom('HTTP_PROXY', 'no_proxy')), value: fc.string() }), {
      maxLength: 2,
    }),
  },
  { requiredKeys: ['name'] },
)

const containers = (minLength: number) =>
  fc.uniqueArray(container, { minLength, maxLength: 4, selector: (one) => one.name })

const settings = fc.record(
  {
    'flomesh.io/outbound-port-exclusion-list': fc
      .array(fc.integer({ min: 1, max: 65535 }), { maxLength: 40 })
      .map((ports) => ports.join(',')),
    'openservicemesh.io/outbound-ip-range-exclusion-list': fc
      .array(fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 })), { maxLength: 4 })
      .map((ranges) => ranges.map(([address, bits]) => `${address}/${bits}`).join(',')),
    'flomesh.io/interception': fc.constantFrom('iptables', 'explicit'),
    'flomesh.io/sidecar-log-level': fc.constantFrom('debug', 'warning'),
    'flomesh.io/sidecar-cpu-request': fc.constantFrom('1m', '0.5', '1500m'),
  },
  optional,
)

const annotations = fc
  .tuple(fc.dictionary(key, fc.string()), settings)
  .map(([own, ours]) => ({ ...own, ...ours }) as Readonly<Record<string, string>>)

const dnsConfig = fc.record(
  {
    nameservers: fc.array(fc.ipV4(), { maxLength: 3 }),
    searches: fc.array(fc.domain(), { maxLength: 6 }),
    options: fc.array(fc.record({ name: fc.constantFrom('ndots', 'edns0', 'timeout'), value: fc.string() }), {
      maxLength: 3,
    }),
  },
  optional,
)

/** Pods of a mesh namespace that injection has nothing against: any mix of the fields it reads or writes. */
export const pods: fc.Arbitrary<Pod> = fc.record({
  apiVersion: fc.constant('v1'),
  kind: fc.constant('Pod'),
  metadata: fc.record({ name, generateName: name, labels: fc.dictionary(name, name), annotations }, optional),
  spec: fc.record(
    {
      containers: containers(1),
      initContainers: containers(0),
      volumes: fc.uniqueArray(fc.record({ name, emptyDir: fc.constant({}) }), { selector: (one) => one.name }),
      dnsPolicy: fc.constantFrom('ClusterFirst', 'Default', 'None'),
      dnsConfig,
      hostNetwork: fc.constant(false),
      restartPolicy: fc.constantFrom('Always', 'Never'),
      securityContext: fc.record({ runAsUser: fc.integer({ min: 14_990, max: 16_010 }) }, optional),
    },
    { requiredKeys: ['containers'] },
  ),
})
