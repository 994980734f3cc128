/** `portolan cluster` where a hub runs: east is the hub, and a member as well; west is the other member. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { holdDown } from '../lab/exec.ts'
import { findCluster } from '../lab/lab-provider.ts'
import { chooseProvider } from '../lab/provider.ts'
import { type RunResult, tryRun, until } from '../lab/run.ts'
import { labDirectory } from '../lab/state.ts'
import { documents, plainNamespace, serviceExport } from './manifests.ts'
import { CONTROL_PLANE, sites } from './mesh.ts'
import { apply, get, kubectl, type Loose, type Site } from './site.ts'

const NS = 'joining'
const MAIN = join(import.meta.dirname, '../../cli/main.ts')
const { east, west, gatewayPort } = sites()
const clusters = await chooseProvider()
const { cluster: westCluster } = findCluster(labDirectory(), 'west')

const SERVICE = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { namespace: NS, name: 'web' },
  spec: { selector: { app: 'web' }, ports: [{ name: 'http', port: 8080 }] },
}

let KUBECONFIG: string
let dir: string

beforeAll(async () => {
  KUBECONFIG = (await Promise.all(['east', 'west'].map((name) => clusters.kubeconfig(name)))).join(delimiter)
  dir = await mkdtemp(join(tmpdir(), 'portolan-join-'))
  await apply(
    west,
    documents(plainNamespace(NS), SERVICE, serviceExport(NS, 'web', { rules: [{ portNumber: 8080, path: '/web' }] })),
  )
})
afterAll(async () => {
  await holdDown(westCluster, 'kube-apiserver', false)
  await kubectl(east, 'delete', 'clusters.flomesh.io', '--all')
  await Promise.all(
    [east, west].map((site) => kubectl(site, 'delete', 'namespace', NS, '--ignore-not-found', '--wait=false')),
  )
  await rm(dir, { recursive: true, force: true })
})

const portolan = (line: string): Promise<RunResult> =>
  tryRun(process.execPath, [MAIN, 'cluster', ...line.split(' ')], { env: { KUBECONFIG } })
const succeed = async (line: string): Promise<string> => {
  const { code, stdout, stderr } = await portolan(line)
  expect({ code, stderr }, stdout).toEqual({ code: 0, stderr: '' })
  return stdout
}
const imports = async (site: Site): Promise<readonly string[]> =>
  (await get(site, 'serviceimports.flomesh.io', '-A')).items.map((each: Loose) => each.metadata.name)
const ofTheHub = async (site: Site): Promise<readonly string[]> =>
  (
    await kubectl(
      site,
      'get',
      'secrets,sa,rolebindings,clusterrolebindings,configmaps',
      '-n',
      CONTROL_PLANE,
      '-o',
      'name',
    )
  )
    .split('\n')
    .filter((name) => /portolan-(hub|cluster|member-|kubeconfig-)/.test(name) && !name.includes('hub-token'))
const hubTokens = async () =>
  (await get(west, 'secrets', '-n', CONTROL_PLANE)).items.filter(
    (each: Loose) => each.type === 'kubernetes.io/service-account-token',
  )
const given = async () => {
  const { data } = await get(east, '-n', CONTROL_PLANE, 'secret', 'portolan-kubeconfig-west')
  return Buffer.from(data.kubeconfig, 'base64').toString()
}

// One after another: each goes on where the one before has left the clusters.
test('a cluster joins with nothing but its context, and is managed', async () => {
  expect(JSON.parse(await succeed('join west --context west --hub-context east -o json'))).toEqual({
    cluster: 'west',
    clusterKey: 'default/default/default/west',
    member: 'west',
    hub: 'east',
    server: expect.stringContaining(west.address),
    gateway: { host: west.address, port: gatewayPort },
    managed: true,
    reason: 'Connected',
    message: expect.stringContaining(west.address),
  })
})

test('both are connected: the hub itself joins, from within, and the other stays as it is', async () => {
  const before = await given()
  const connected = JSON.parse(await succeed('connect --context east --destination-context west -o json'))
  expect(connected).toMatchObject({
    hub: 'east',
    clusters: [
      { cluster: 'east', server: 'https://kubernetes.default.svc', gateway: { host: east.address }, managed: true },
      { cluster: 'west', server: expect.stringContaining(west.address), managed: true },
    ],
  })
  expect(await given()).toBe(before)
  await until('east imports what west exports', async () => (await imports(east)).includes('web'))
  const count = async (site: Site, ...what: readonly string[]) => (await get(site, ...what, '-A')).items.length
  const held = () =>
    Promise.all(
      [east, west].map(async (site) => ({
        name: site.name,
        managed: 'True',
        exports: await count(site, 'serviceexports.flomesh.io'),
        imports: await count(site, 'serviceimports.flomesh.io', '-l', 'app.kubernetes.io/managed-by=portolan'),
      })),
    )
  expect((await held())[1]?.exports).toBeGreaterThan(0)
  await until('what they hold is counted', async () => {
    const { code, stdout } = await portolan('list --context east -o json')
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject(await held())
    return true
  })
})

test('joining again gives the hub another token, and the one before is good no more', async () => {
  const before = join(dir, 'before')
  await writeFile(before, await given())
  await succeed('join west --context west --hub-context east')
  expect(await hubTokens()).toHaveLength(1)
  expect(await imports(east)).toContain('web')
  await until('the token before is refused', async () => {
    const { stderr } = await west.kubectl(['get', 'serviceimports.flomesh.io', '-A', '--kubeconfig', before])
    return /Unauthorized|must be logged in/.test(stderr)
  })
})

test('a dead member leaves: nothing of it is imported any more, and what is left in it is said', async () => {
  await holdDown(westCluster, 'kube-apiserver', true)
  const out = await succeed('leave west --hub-context east')
  expect(out).toContain('east: nothing of west is exported any more\n')
  expect(out).toContain('left in west: what the hub wrote there, as west does not answer it')
  expect(out).toContain('left in west: ServiceAccount portolan-hub')
  await until('the import is gone', async () => !(await imports(east)).includes('web'))
  expect(await succeed('leave west --hub-context east')).toContain('left in west: what the hub wrote there')
})

test('when it is back it is freed of all that the hub has made', async () => {
  await holdDown(westCluster, 'kube-apiserver', false)
  await until('west answers', async () => (await west.kubectl(['get', '--raw', '/readyz'])).code === 0)
  await succeed('leave west --context west --hub-context east')
  await until('nothing is left in west', async () => (await ofTheHub(west)).length === 0)
  await until('its tokens go with the account', async () => (await hubTokens()).length === 0)
  await succeed('leave east --context east --hub-context east')
  await until('nothing is left in east', async () => (await ofTheHub(east)).length === 0)
})
