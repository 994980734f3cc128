/** What `helm` does to definitions that are in a cluster already, on a real API server. */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { crd } from '../../api/crd.ts'
import { STANDARD_KINDS } from '../../api/standard-kinds.ts'
import { type ApiServer, startApiServer } from '../kube/apiserver.ts'
import { CHART, helm } from './helm.ts'

const EXPORTS = 'serviceexports.multicluster.x-k8s.io'
const IMPORTS = 'serviceimports.multicluster.x-k8s.io'
const PROPERTIES = 'clusterproperties.about.k8s.io'

let api: ApiServer
let dir: string

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'portolan-chart-'))
  api = await startApiServer()
})
afterAll(async () => {
  await api?.stop()
  await rm(dir, { recursive: true, force: true })
})

async function kubectl(args: readonly string[], input?: string): Promise<string> {
  const { code, stdout, stderr } = await api.kubectl(args, input)
  if (code !== 0) throw new Error(stderr)
  return stdout
}

async function release(...args: readonly string[]): Promise<string> {
  const where = ['--namespace', 'portolan-system', '--kubeconfig', api.kubeconfig]
  const { code, stdout, stderr } = await helm(...args, ...where)
  if (code !== 0) throw new Error(stderr)
  return stdout
}
const install = (chart = CHART) =>
  release('upgrade', 'portolan', chart, '--install', '--create-namespace', '--no-hooks')

interface Definition {
  readonly metadata: {
    readonly uid: string
    readonly generation: number
    readonly annotations?: Readonly<Record<string, string>>
    readonly labels?: Readonly<Record<string, string>>
  }
  readonly spec: { readonly versions: readonly { readonly name: string }[] }
}
const definition = async (name: string): Promise<Definition> =>
  JSON.parse(await kubectl(['get', 'crd', name, '-o', 'json']))
const versions = ({ spec }: Definition) => spec.versions.map(({ name }) => name)

/** As somebody else has installed it: older than ours, or of any other kind. */
const foreign = (name: string, change: object): string => {
  const kind = STANDARD_KINDS.find(({ plural, group }) => `${plural}.${group}` === name)
  if (kind === undefined) throw new Error(`${name} is none of the standard's`)
  return stringify(crd({ ...kind, ...change }), { aliasDuplicateObjects: false })
}

// One after another: each goes on where the one before has left the cluster.
test('one that something else has installed stays as it is, whatever its age; the others are installed', async () => {
  await kubectl(['create', '-f', '-'], foreign(EXPORTS, { versions: ['v1alpha1'], labels: {} }))
  await kubectl(['wait', '--for=condition=Established', 'crd', EXPORTS])
  const before = await definition(EXPORTS)
  // By an older Portolan, at first.
  const old = join(dir, 'portolan')
  await cp(CHART, old, { recursive: true })
  const file = join(old, `files/crds-mcs/multicluster.x-k8s.io_serviceimports.yaml`)
  const text = await readFile(file, 'utf8')
  await writeFile(file, text.replace('v0.5.2', 'v0.4.9').replace('- svcimport', '- older'))
  const notes = await install(old)
  expect(notes).toContain(`NOTE: ${EXPORTS} is there from elsewhere and serves no v1beta1`)
  expect(notes).not.toContain(`NOTE: ${IMPORTS}`)
  expect(await definition(EXPORTS)).toEqual(before)
  expect(versions(await definition(IMPORTS))).toEqual(['v1alpha1', 'v1beta1'])
  expect(versions(await definition(PROPERTIES))).toEqual(['v1alpha1', 'v1beta1'])
  expect(versions(await definition('serviceexports.flomesh.io'))).toEqual(['v1alpha1'])
})

test('one of an older Portolan is brought up to date', async () => {
  const names = () => kubectl(['api-resources', '--api-group=multicluster.x-k8s.io'])
  expect(await names()).toMatch(/^serviceimports +svcim,older /m)
  await install()
  expect(await names()).toMatch(/^serviceimports +svcim,svcimport /m)
})

test.for([
  ['a later release', IMPORTS, 'v0.6.0', '0'],
  ['a release candidate of a later one', IMPORTS, 'v0.6.0-rc.1', '0'],
  ['a later revision', IMPORTS, 'v0.5.2', '3'],
] as const)('one of %s stays as it is', async ([, name, version, revision]) => {
  const labels = [`multicluster.x-k8s.io/release-version=${version}`]
  await kubectl([
    'label',
    'crd',
    name,
    '--overwrite',
    ...labels,
    `multicluster.x-k8s.io/crd-schema-revision=${revision}`,
  ])
  const { metadata } = await definition(name)
  await install()
  expect((await definition(name)).metadata).toMatchObject({ uid: metadata.uid, labels: metadata.labels ?? {} })
})

test('one with a version that is not known here stays as it is', async () => {
  const newer = { op: 'add', path: '/spec/versions/-' }
  const { spec } = await definition(PROPERTIES)
  const value = { ...spec.versions[0], name: 'v1', storage: false }
  await kubectl(['patch', 'crd', PROPERTIES, '--type=json', '-p', JSON.stringify([{ ...newer, value }])])
  await install()
  expect(versions(await definition(PROPERTIES))).toEqual(['v1alpha1', 'v1beta1', 'v1'])
})

test('all of them stay when the release goes, and a new one takes them back', async () => {
  const names = [EXPORTS, IMPORTS, PROPERTIES, 'serviceexports.flomesh.io']
  const uids = () => Promise.all(names.map(async (name) => (await definition(name)).metadata.uid))
  const before = await uids()
  await release('uninstall', 'portolan', '--no-hooks')
  expect(await uids()).toEqual(before)
  await install()
  expect(await uids()).toEqual(before)
})
