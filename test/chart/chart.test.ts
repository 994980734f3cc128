import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { GLOBAL_ANNOTATIONS } from '../../api/global-service.ts'
import { identityKeys } from '../../api/identity.ts'
import * as names from '../../api/names.ts'
import { dnsFiles } from '../../compiler/files.ts'
import { CHART, helm, type Manifest, parseManifests, render } from './helm.ts'

const GOLDEN = join(import.meta.dirname, '../golden/chart')

describe('renders', () => {
  test.each(readdirSync(GOLDEN))('%s', async (name) => {
    const dir = join(GOLDEN, name)
    const rendered = await render('--values', join(dir, 'values.yaml'))
    // The form of a bootstrap has tests of its own.
    await expect(rendered.replaceAll(/bootstrap-[0-9a-f]{10}/g, 'bootstrap-0000000000')).toMatchFileSnapshot(
      join(dir, 'rendered.yaml'),
    )
  })

  test('the golden with everything sets every value other than its default', () => {
    const everything = leaves(parse(readFileSync(join(GOLDEN, 'everything/values.yaml'), 'utf8')))
    const untouched = [...leaves(parse(readFileSync(join(CHART, 'values.yaml'), 'utf8')))]
      .filter(([path, value]) => everything.get(path) === value && value !== undefined)
      .map(([path]) => path)
    expect(untouched).toEqual([])
  })

  test('no golden folder is left without values', () => {
    for (const name of readdirSync(GOLDEN))
      expect(readdirSync(join(GOLDEN, name)).sort()).toEqual(['rendered.yaml', 'values.yaml'])
  })

  test('helm lint finds nothing', async () => {
    expect(await helm('lint', '--strict', CHART)).toMatchObject({ code: 0 })
  })
})

describe('refuses', () => {
  test.each([
    ['an unknown key', 'webhok.replicas=1', "additional properties 'webhok' not allowed"],
    [
      'an unknown key further down',
      'gateway.service.nodeport=1',
      "at '/gateway/service': additional properties 'nodeport' not allowed",
    ],
    [
      'an unknown type of Service',
      'gateway.service.type=ExternalName',
      "at '/gateway/service/type': value must be one of",
    ],
    ['no replicas', 'dns.replicas=0', "at '/dns/replicas': minimum: got 0, want 1"],
    ['a port beyond the last', 'gateway.hostPort=65536', "at '/gateway/hostPort': maximum: got 65,536, want 65,535"],
    ['a port that is a word', 'gateway.service.port=http', "at '/gateway/service/port': got string, want integer"],
    ['half a cluster name', 'cluster.name=a/b', "at '/cluster/name': 'a/b' does not match pattern"],
    ['an address for a range', 'vipRange=240.240.0.1', "at '/vipRange': '240.240.0.1' does not match pattern"],
    [
      'an unknown failure policy',
      'webhook.injection.failurePolicy=Maybe',
      "at '/webhook/injection/failurePolicy': value must be one of",
    ],
    ['an unknown pull policy', 'image.pullPolicy=Sometimes', "at '/image/pullPolicy': value must be one of"],
    [
      'a trust domain that is none',
      'identity.trustDomain=Mesh',
      "at '/identity/trustDomain': 'Mesh' does not match pattern",
    ],
    ['a leaf for ever', 'identity.leafHours=721', "at '/identity/leafHours': maximum: got 721, want 720"],
    ['too long a timeout', 'webhook.timeoutSeconds=31', "at '/webhook/timeoutSeconds': maximum: got 31, want 30"],
  ])('%s', async (_, assignment, message) => {
    await expect(render('--set', assignment)).rejects.toThrow(message)
  })

  test('all at once', async () => {
    const { code, stderr } = await helm('template', CHART, '--set', 'a=1,dns.replicas=0,gateway.service.type=X')
    expect(code).not.toBe(0)
    for (const path of ["'/dns/replicas'", "'/gateway/service/type'", "'a'"]) expect(stderr).toContain(path)
  })

  test('every object of the schema is closed', () => {
    const open: string[] = []
    visit(JSON.parse(readFileSync(join(CHART, 'values.schema.json'), 'utf8')), '', (schema, path) => {
      if ('properties' in schema && schema['additionalProperties'] !== false) open.push(path)
    })
    expect(open).toEqual([])
  })
})

test('without an egress nothing of it is there, and the compiler has no right to its table', async () => {
  const rendered = await render('--set', 'egress.enabled=false')
  expect(rendered).not.toMatch(/^ *(- )?name: portolan-egress|--egress-namespace/m)
  const role = parseManifests(rendered).find(
    ({ kind, metadata }) => kind === 'Role' && metadata.name === 'portolan-compiler',
  )
  expect(JSON.stringify(role)).not.toContain(names.EGRESS_CONFIGMAP)
})

test('cert-manager keeps the root when it is told so, and the identity server may read that and no more', async () => {
  const rendered = parseManifests(await render('--set', 'identity.certManager.enabled=true'))
  const of = (kind: string) => rendered.filter((each) => each.kind === kind)
  expect(of('Issuer').map(({ metadata, spec }) => [metadata.name, spec])).toEqual([
    ['portolan-self-signed', { selfSigned: {} }],
  ])
  expect(of('Certificate').map(({ spec }) => spec)).toMatchObject([
    { secretName: 'portolan-root', isCA: true, issuerRef: { name: 'portolan-self-signed', kind: 'Issuer' } },
  ])
  const identity = rendered.find(({ kind, metadata }) => kind === 'Deployment' && metadata.name === 'portolan-identity')
  expect(identity?.['spec'].template.spec.containers[0].args).toContain('--ca-secret=portolan-root')
  const role = rendered.find(({ kind, metadata }) => kind === 'Role' && metadata.name === 'portolan-identity')
  expect(role?.['rules']).toContainEqual({
    apiGroups: [''],
    resources: ['secrets'],
    resourceNames: ['portolan-root'],
    verbs: ['list', 'watch'],
  })
})

describe('holds', async () => {
  const manifests = parseManifests(await render())
  const all = (kind: string): readonly Manifest[] => manifests.filter((manifest) => manifest.kind === kind)
  const find = (kind: string, name: string): Manifest => {
    const found = all(kind).find((manifest) => manifest.metadata.name === name)
    if (found === undefined) throw new Error(`the chart renders no ${kind} ${name}`)
    return found
  }

  test('every CRD of charts/portolan/files, whole, and kept at uninstall', () => {
    const files = ['files/crds', 'files/crds-mcs', 'files/smi'].flatMap((dir) =>
      readdirSync(join(CHART, dir)).map((file) => join(dir, file)),
    )
    const rendered = new Map(all('CustomResourceDefinition').map((crd) => [crd.metadata.name, crd]))
    expect(rendered.size).toBe(files.length)
    for (const file of files) {
      const source = parse(readFileSync(join(CHART, file), 'utf8'))
      const crd = rendered.get(source.metadata.name)
      expect(crd?.spec).toEqual(source.spec)
      expect(crd?.metadata.annotations).toMatchObject({
        ...source.metadata.annotations,
        'helm.sh/resource-policy': 'keep',
      })
    }
  })

  test('no field that a running part owns', () => {
    for (const kind of ['MutatingWebhookConfiguration', 'ValidatingWebhookConfiguration'])
      for (const { clientConfig } of find(kind, 'portolan').webhooks)
        expect(clientConfig).not.toHaveProperty('caBundle')
    const written = [
      ...[names.ROUTES_CONFIGMAP, names.GATEWAY_CONFIGMAP, names.EGRESS_CONFIGMAP, names.DNS_CONFIGMAP],
      names.IDENTITY_CONFIGMAP,
    ]
    expect(all('ConfigMap').filter(({ metadata }) => written.includes(metadata.name as never))).toEqual([])
  })

  test('a mesh DNS that waits for all files that it answers from, so that those before it go on until then', () => {
    const { volumes, containers } = find('Deployment', 'portolan-dns')['spec'].template.spec
    const { files } = dnsFiles({ cluster: { key: '', domain: '' }, dns: [], clusterset: [] }, 'portolan-system')
    const { configMap } = volumes.find(({ name }: { readonly name: string }) => name === 'names')
    expect(configMap).toEqual({
      name: names.DNS_CONFIGMAP,
      items: Object.keys(files).map((key) => ({ key, path: key })),
    })
    const { data } = find('ConfigMap', 'portolan-dns-server')
    const asked = [...data['Corefile'].matchAll(/^\s*(?:hosts|file) \/etc\/portolan\/dns\/(\S+)/gm)].map(
      ([, file]) => file,
    )
    expect(asked).toEqual(Object.keys(files))
    expect(containers[0].volumeMounts).toContainEqual({ name: 'names', mountPath: '/etc/portolan/dns', readOnly: true })
  })

  test('pods that the Pod Security level restricted lets in', () => {
    for (const pod of podSpecs(manifests)) {
      expect(pod.hostNetwork ?? pod.hostPID ?? pod.hostIPC).toBeUndefined()
      expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } })
      for (const container of pod.containers) {
        const { capabilities, ...rest } = container.securityContext
        expect(rest).toEqual({ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true })
        expect(capabilities.drop).toEqual(['ALL'])
        expect(capabilities.add ?? ['NET_BIND_SERVICE']).toEqual(['NET_BIND_SERVICE'])
        expect(container.resources.requests).toBeDefined()
        expect(container.resources.limits.memory).toBeDefined()
      }
    }
  })

  test('an account, a budget, two replicas and a preference for separate nodes for each part', () => {
    for (const part of ['webhook', 'compiler', 'identity', 'federation', 'gateway', 'egress', 'dns'].map(
      (name) => `portolan-${name}`,
    )) {
      const { spec } = find('Deployment', part)
      expect(spec.replicas).toBe(2)
      expect(spec.template.spec.serviceAccountName).toBe(find('ServiceAccount', part).metadata.name)
      expect(spec.template.spec.affinity.podAntiAffinity).toHaveProperty(
        'preferredDuringSchedulingIgnoredDuringExecution',
      )
      expect(find('PodDisruptionBudget', part).spec).toEqual({ maxUnavailable: 1, selector: spec.selector })
    }
  })

  test('rights to named objects, or to read, or to write what only we write', () => {
    const wildcards = [...all('ClusterRole'), ...all('Role')].flatMap(({ metadata, rules }) =>
      rules
        .filter((rule: Record<string, string[]>) => Object.values(rule).flat().includes('*'))
        .map(() => metadata.name),
    )
    expect(wildcards).toEqual([])
    const secrets = all('ClusterRole').flatMap(({ metadata, rules }) =>
      rules
        .filter((rule: { resources: string[] }) => rule.resources.includes('secrets'))
        .map((rule: { resourceNames?: string[] }) => [metadata.name, rule.resourceNames]),
    )
    expect(secrets).toEqual([
      ['portolan-identity', [names.IDENTITY_SECRET]],
      ['portolan-cleanup', [names.IDENTITY_SECRET]],
    ])
  })

  test('no pod that a new version of the chart alone would restart', () => {
    for (const { spec } of all('Deployment'))
      expect(JSON.stringify(spec.template.metadata)).not.toMatch(/\d+\.\d+\.\d+/)
  })

  test('match conditions in the words that the code uses', () => {
    const { webhooks } = find('MutatingWebhookConfiguration', 'portolan')
    const expressions = JSON.stringify(webhooks.map((each: Manifest) => each['matchConditions']))
    for (const name of [names.STATUS_ANNOTATION, names.PROXY_CONTAINER, ...names.INJECTION])
      expect(expressions).toContain(`'${name}'`)
    const asked = JSON.stringify(find('ValidatingWebhookConfiguration', 'portolan').webhooks)
    for (const name of Object.values(GLOBAL_ANNOTATIONS).flat()) expect(asked).toContain(`'${name}'`)
    expect(webhooks.slice(0, 2).map((each: Manifest) => each['namespaceSelector'].matchExpressions[0].key)).toEqual([
      ...names.MONITORED_BY,
    ])
  })

  test('the ports that the code listens on', () => {
    const ports = (name: string) =>
      find('Deployment', name).spec.template.spec.containers[0].ports.map(
        ({ containerPort }: { containerPort: number }) => containerPort,
      )
    expect(ports('portolan-gateway')).toEqual([names.GATEWAY_PORT, names.METRICS_PORT])
    expect(ports('portolan-egress')).toEqual([names.METRICS_PORT])
  })

  test('the names by which the code finds the egress', () => {
    const {
      template,
      selector: { matchLabels },
    } = find('Deployment', names.EGRESS_SERVICE).spec
    const pod = template.spec
    expect(pod.serviceAccountName).toBe(names.EGRESS_SERVICE_ACCOUNT)
    expect(find('Service', names.EGRESS_SERVICE).spec).toMatchObject({ clusterIP: 'None', selector: matchLabels })
    const mounts = new Map(pod.containers[0].volumeMounts.map((each: Manifest) => [each['name'], each['mountPath']]))
    expect(mounts.get('tables')).toBe(names.ROUTES_MOUNT)
    expect(mounts.get(names.IDENTITY_VOLUME)).toBe(names.IDENTITY_MOUNT)
    const { cert, key } = identityKeys(names.EGRESS_SERVICE_ACCOUNT)
    expect(JSON.stringify(pod.volumes)).toContain(JSON.stringify({ key: cert, path: 'tls.crt' }))
    expect(JSON.stringify(pod.volumes)).toContain(JSON.stringify({ key, path: 'tls.key' }))
    expect(find('Deployment', 'portolan-compiler').spec.template.spec.containers[0].args).toContain(
      '--egress-namespace=portolan-system',
    )
  })
})

function podSpecs(manifests: readonly Manifest[]) {
  return manifests.flatMap(({ kind, spec }) =>
    kind === 'Deployment' || kind === 'Job' ? [spec.template.spec] : kind === 'Pod' ? [spec] : [],
  )
}

/** Path and value of everything that is not an object; lists count as one value. */
function leaves(value: unknown, path = ''): Map<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return new Map([[path, JSON.stringify(value)]])
  return new Map(Object.entries(value).flatMap(([key, child]) => [...leaves(child, `${path}.${key}`)]))
}

function visit(schema: unknown, path: string, see: (schema: Record<string, unknown>, path: string) => void): void {
  if (typeof schema !== 'object' || schema === null) return
  see(schema as Record<string, unknown>, path)
  for (const [key, child] of Object.entries(schema)) visit(child, `${path}/${key}`, see)
}
