/** The rules that live in the CRDs, judged by a real API server with no webhook beside it. */
import path from 'node:path'
import fc from 'fast-check'
import { Agent, request } from 'undici'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { levelOf } from '../../api/diagnostics.ts'
import { kindOf } from '../../api/kinds.ts'
import type { KubeObject } from '../../api/meta.ts'
import { SERVICES } from '../../api/resources.ts'
import { standardKindOf } from '../../api/standard-kinds.ts'
import { applyDefaults, validateObject } from '../../webhook/validate.ts'
import { type ApiServer, startApiServer } from '../kube/apiserver.ts'
import { CRDS } from '../kube/crds.ts'
import { cases, filesOf, GOLDEN, readObjects } from './cases.ts'

const CASES = cases()

let api: ApiServer
let agent: Agent

beforeAll(async () => {
  api = await startApiServer()
  const { tls } = await api.connection.credentials()
  agent = new Agent({ connect: { ...tls } })
  await kubectl('apply', ...CRDS)
  await kubectl('wait', '--for=condition=Established', 'crd', '--all', '--timeout=120s')
  for (const namespace of ['bar', 'dapr-test', 'httpbin', 'portolan-system', 'shop']) {
    await kubectl('create', 'namespace', namespace)
  }
})

afterAll(async () => {
  await agent?.close()
  await api?.stop()
})

async function kubectl(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await api.kubectl(args)
  if (code !== 0) throw new Error(stderr)
  return stdout
}

interface Status {
  readonly message: string
  readonly details?: { readonly causes?: readonly { readonly field?: string; readonly message: string }[] }
}

/** A dry run of creating the object: nothing is stored. */
async function create(object: KubeObject): Promise<{ readonly created?: KubeObject; readonly status?: Status }> {
  const kind = kindOf(object) ?? standardKindOf(object) ?? SERVICES
  const namespace = 'scope' in kind && kind.scope === 'Cluster' ? '' : `/namespaces/${object.metadata.namespace}`
  const { headers } = await api.connection.credentials()
  const { statusCode, body } = await request(
    `${api.server}/${kind.group === '' ? 'api' : 'apis'}/${object.apiVersion}${namespace}/${kind.plural}?dryRun=All&fieldValidation=Strict`,
    {
      dispatcher: agent,
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify(object),
    },
  )
  const json = await body.json().catch(() => ({ message: `status ${statusCode}` }))
  return statusCode === 201 ? { created: json as KubeObject } : { status: json as Status }
}

/** What the API server says to the object, one problem a line. */
async function answer(object: KubeObject): Promise<string> {
  const { status } = await create(object)
  if (status === undefined) return 'accepted\n'
  const causes = status.details?.causes?.map(({ field, message }) => `${field}: ${message}`)
  return `${[...new Set(causes ?? [status.message])].sort().join('\n')}\n`
}

describe('each case has the API server’s answer in its golden file', () => {
  test.for(CASES)('$name', async ({ name, object }) => {
    await expect(await answer(object)).toMatchFileSnapshot(path.join(GOLDEN, 'validate', `${name}.api.out`))
  })
})

/** What CEL cannot see, or the API server deliberately lets pass. */
const WEBHOOK_ONLY = new Set([
  // Text in text: CEL reads no YAML.
  'KubeconfigBroken',
  'KubeconfigNotSelfContained',
  // CEL has no way to count the groups of an expression, or how large it is.
  'RewriteGroupMissing',
  'RewriteTooLarge',
  // Needs the built-in values of the injector.
  'RequestExceedsLimit',
  // The definitions of the standard take what the standard takes.
  'WordNameMalformed',
  'LabelValueMalformed',
])

test('what is refused by us and can be seen by CEL is refused without us', async () => {
  const missed: string[] = []
  for (const { name, object, world } of CASES) {
    const errors = validateObject(object, world).filter((issue) => levelOf(issue) === 'error')
    const visible = errors.filter(({ code }) => !WEBHOOK_ONLY.has(code))
    const refused = (await answer(object)) !== 'accepted\n'
    if (refused !== visible.length > 0)
      missed.push(`${name}: ${refused ? 'refused' : 'accepted'} by the API server alone`)
  }
  expect(missed).toEqual([])
})

describe('of arbitrary texts, CEL refuses the very ones that we refuse', () => {
  const meta = { metadata: { name: 'any', namespace: 'shop' } }
  const policy = (texts: readonly string[]) => ({
    apiVersion: 'flomesh.io/v1alpha1',
    kind: 'GlobalTrafficPolicy',
    ...meta,
    spec: { lbType: 'FailOver', targets: texts.map((clusterKey) => ({ clusterKey })) },
  })
  const exported = (texts: readonly string[]) => ({
    apiVersion: 'flomesh.io/v1alpha1',
    kind: 'ServiceExport',
    ...meta,
    spec: { rules: texts.map((path) => ({ portNumber: 80, path })) },
  })
  const imported = (key: 'host' | 'ip') => (texts: readonly string[]) => ({
    apiVersion: 'flomesh.io/v1alpha1',
    kind: 'ServiceImport',
    ...meta,
    spec: {
      ports: [
        {
          port: 80,
          endpoints: texts.map((text) => ({
            clusterKey: 'a/b/c/d',
            target: { port: 80, ...(key === 'ip' ? { host: 'a' } : {}), [key]: text },
          })),
        },
      ],
    },
  })
  const config = (texts: readonly string[]) => ({
    apiVersion: 'config.flomesh.io/v1alpha1',
    kind: 'MeshConfig',
    ...meta,
    spec: { traffic: { outboundIPRangeExclusionList: texts } },
  })
  const ADDRESSES = fc.oneof(
    fc.ipV4(),
    fc.ipV6(),
    fc.constantFrom(
      '127.0.0.1',
      '::1',
      '::',
      '0.0.0.0',
      '169.254.0.1',
      'fe80::1',
      'ff02::1',
      '::ffff:1.2.3.4',
      '1.2.3',
    ),
    fc.constantFrom('255.255.255.255', '240.0.0.1', '10.0.0.01', '1::2::3', 'fe80::1%lo', '[::1]', '0x7f.0.0.1'),
  )
  const KINDS_OF_TEXT = [
    ['cluster keys', policy, 'a-Z._/ é', fc.constantFrom('a/b/c/d', 'a/b/c', 'default/default/default/x.y-z')],
    ['paths', exported, '/a.%?~*:', fc.constantFrom('/', '/a', '/a/../b', '//', '/...', "/!$&'()+,;=:@")],
    ['addresses', imported('ip'), '0:.1f', ADDRESSES],
    ['ranges', config, '0:./12', fc.tuple(ADDRESSES, fc.nat(130)).map(([address, bits]) => `${address}/${bits}`)],
  ] as const

  const textsOf = (alphabet: string, likely: fc.Arbitrary<string>, most = 60) => {
    const noise = fc.string({ unit: fc.constantFrom(...alphabet), minLength: 1, maxLength: 12 })
    const text = fc.oneof(likely, noise, fc.string({ minLength: 1, maxLength: 5 }))
    return fc.uniqueArray(text, { minLength: most / 2, maxLength: most })
  }
  /** Of the texts in an object, those that the API server refuses, and those that we do. */
  const refused = async (object: KubeObject, values: readonly string[]) => {
    const ours = validateObject(object).filter((issue) => levelOf(issue) === 'error')
    const places = [...(await answer(object)).matchAll(/^(spec[^:]*): /gm)].map(([, place = '']) => place)
    const paths = ours.map((issue) => issue.path)
    return { cel: refusedTexts(values, places), ours: refusedTexts(values, paths) }
  }

  test.for(KINDS_OF_TEXT)('%s', async ([, objectOf, alphabet, likely]) => {
    await fc.assert(
      fc.asyncProperty(textsOf(alphabet, likely), async (values) => {
        const { cel, ours } = await refused(objectOf(values), values)
        expect(cel).toEqual(ours)
      }),
      { numRuns: 10 },
    )
  })

  const HOSTS = ['aZ.-_0 ', fc.oneof(ADDRESSES, fc.domain(), fc.constantFrom('localhost', 'a.localhost.'))] as const

  test('hosts of clusters', async () => {
    const cluster = (gatewayHost: string) => ({
      apiVersion: 'flomesh.io/v1alpha1',
      kind: 'Cluster',
      metadata: { name: 'any' },
      spec: { gatewayHost, gatewayPort: 80, kubeconfigSecretRef: { name: 'any' } },
    })
    await fc.assert(
      fc.asyncProperty(textsOf(...HOSTS, 20), async (values) => {
        const wrong = await Promise.all(values.map(async (host) => (await answer(cluster(host))) !== 'accepted\n'))
        const ours = values.map((host) => validateObject(cluster(host)).some((issue) => levelOf(issue) === 'error'))
        expect(values.filter((_, i) => wrong[i])).toEqual(values.filter((_, i) => ours[i]))
      }),
      { numRuns: 10 },
    )
  })

  test('hosts of imports: none but those, as far as the rules may cost', async () => {
    await fc.assert(
      fc.asyncProperty(textsOf(...HOSTS), async (values) => {
        const { cel, ours } = await refused(imported('host')(values), values)
        expect(ours).toEqual(expect.arrayContaining([...cel]))
      }),
      { numRuns: 10 },
    )
    const wrong = [
      '127.0.0.1',
      '0.0.0.0',
      '169.254.0.1',
      '::1',
      '::',
      'fe80::1',
      'localhost',
      '10.0.0.256',
      'a b',
      'a/b',
    ]
    expect((await refused(imported('host')(wrong), wrong)).cel).toEqual(wrong)
  })

  test('expressions', async () => {
    const expression = fc.string({ unit: fc.constantFrom(...'()[]{}?*+|\\^$.a1,-:=!<P'), minLength: 1, maxLength: 10 })
    await fc.assert(
      fc.asyncProperty(expression, async (from) => {
        const object = { ...exported(['/a']), spec: { pathRewrite: { from, to: '/' } } }
        const ours = validateObject(object).some(({ code }) => code === 'RewriteInvalid')
        expect((await answer(object)) !== 'accepted\n').toBe(ours)
      }),
      { numRuns: 300 },
    )
  })

  /** The texts that stand where the last index of a place points. */
  function refusedTexts(texts: readonly string[], places: readonly string[]): readonly string[] {
    const indexes = new Set(places.map((place) => Number(/\[(\d+)\][^[]*$/.exec(place)?.[1])))
    return texts.filter((_, i) => indexes.has(i))
  }
})

describe('the manifests of the guides apply as printed', () => {
  const applied = filesOf('seeds', '.yaml').filter((file) => file !== '002-cluster-a.yaml')
  const NAMESPACES: Readonly<Record<string, string>> = { '000': 'httpbin', '002': 'bar', '003': 'dapr-test' }

  test.for(applied)('%s, and read back they carry documented defaults alone', async (file) => {
    const source = path.join(GOLDEN, 'seeds', file)
    const namespace = NAMESPACES[file.slice(0, 3)] ?? ''
    const out = await kubectl('apply', '-n', namespace, '-f', source, '-o', 'json')
    const parsed = JSON.parse(out) as KubeObject & { items?: readonly KubeObject[] }
    const stored = parsed.items ?? [parsed]
    const printed = readObjects(`seeds/${file}`)
    expect(stored.map(specOf)).toEqual(printed.map(applyDefaults).map(specOf))
  })

  test('002-cluster-a.yaml is refused for its name alone: Kubernetes has no capitals in names', async () => {
    const [cluster] = readObjects('seeds/002-cluster-a.yaml')
    if (cluster === undefined) throw new Error('no document')
    expect(await answer(cluster)).toMatch(/^metadata.name: .*RFC 1123 subdomain[^\n]*\n$/)
    expect(await answer({ ...cluster, metadata: { name: 'cluster-a' } })).toBe('accepted\n')
  })

  test('an export reads back as the guide prints it', async () => {
    await kubectl('apply', '-f', path.join(GOLDEN, 'seeds/000-exports-cluster-3.yaml'))
    const spec = await kubectl('get', 'serviceexports', 'httpbin', '-n', 'httpbin', '-o', 'jsonpath={.spec}')
    expect(JSON.parse(spec)).toEqual(readObjects('seeds/000-export-readback.json')[0])
  })

  test('an import is accepted as the guide prints it, and nothing is added', async () => {
    const spec = readObjects('seeds/000-import-spec.json')[0]
    const object = { apiVersion: 'flomesh.io/v1alpha1', kind: 'ServiceImport', metadata: { name: 'printed' }, spec }
    const { code, stdout, stderr } = await api.kubectl(
      ['apply', '-n', 'httpbin', '-f', '-', '-o', 'json'],
      JSON.stringify(object),
    )
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(specOf(JSON.parse(stdout) as KubeObject)).toEqual(spec)
  })

  test.for([
    '{"spec":{"traffic":{"outboundIPRangeExclusionList":["10.43.0.1/32"]}}}',
    '{"spec":{"traffic":{"outboundPortExclusionList":[50005,8201,6379]}}}',
    '{"spec":{"traffic":{"enablePermissiveTrafficPolicyMode":false}}}',
  ])('meshconfig takes patch %s', async (patch) => {
    const config = {
      apiVersion: 'config.flomesh.io/v1alpha1',
      kind: 'MeshConfig',
      metadata: { name: 'osm-mesh-config' },
    }
    await api.kubectl(['create', '-n', 'bar', '-f', '-'], JSON.stringify(config))
    await kubectl('patch', 'meshconfig', 'osm-mesh-config', '-n', 'bar', '-p', patch, '--type=merge')
    const stored = JSON.parse(await kubectl('get', 'meshconfig', 'osm-mesh-config', '-n', 'bar', '-o', 'json'))
    expect(stored.spec.traffic).toMatchObject(JSON.parse(patch).spec.traffic)
  })
})

function specOf(object: object): unknown {
  return (object as { readonly spec?: unknown }).spec
}

describe('defaults', () => {
  test('are filled in by the API server as by applyDefaults', async () => {
    const differing: string[] = []
    for (const { name, object } of CASES.filter((each) => kindOf(each.object) !== undefined)) {
      const { created } = await create(object)
      if (created === undefined) continue
      const stored = specOf(created)
      if (JSON.stringify(sorted(stored)) !== JSON.stringify(sorted(specOf(applyDefaults(object))))) differing.push(name)
    }
    expect(differing).toEqual([])
  })
})

/** Names of fields in one order. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, child]) => [name, sorted(child)]),
  )
}

describe('kubectl', () => {
  test.for(['sexp', 'simp', 'gtp', 'clusters', 'meshconfig', 'portolan'])('get %s works', async (name) => {
    await kubectl('get', name, '-A')
  })

  test('status is a subresource with typed conditions', async () => {
    const condition = {
      type: 'Accepted',
      status: 'True',
      reason: 'Accepted',
      message: 'the policy is in force',
      observedGeneration: 1,
      lastTransitionTime: '2026-01-01T00:00:00Z',
    }
    const patch = (status: object) =>
      api.kubectl([
        ...['patch', 'gtp', 'httpbin', '-n', 'httpbin', '--type=merge', '--subresource=status'],
        ...['-p', JSON.stringify({ status })],
      ])
    await kubectl('apply', '-n', 'httpbin', '-f', path.join(GOLDEN, 'seeds/000-policy-failover.yaml'))
    expect(await patch({ conditions: [condition] })).toMatchObject({ code: 0 })
    expect(await patch({ conditions: [{ ...condition, status: 'Maybe' }] })).toMatchObject({ code: 1 })
    expect(await kubectl('get', 'gtp', '-n', 'httpbin')).toMatch(/FailOver +True/)
  })
})
