/** `portolan cluster`, against two real API servers: what is written where, and what is refused. Nobody plays the hub here. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { FIELD_MANAGER, MANAGED_BY, MCS_SERVICE_NAME_LABEL } from '../../../api/names.ts'
import { CLUSTERS, CONFIGMAPS, ENDPOINT_SLICES, SECRETS, SERVICE_IMPORTS } from '../../../api/resources.ts'
import { memorySecret } from '../../../federation/controller/memory.ts'
import { createClient, type KubeClient } from '../../../kube/client.ts'
import { must } from '../../../kube/failure.ts'
import { parseKubeconfig } from '../../../kube/kubeconfig.ts'
import { render } from '../../chart/helm.ts'
import { type ApiServer, type Etcd, startApiServer, startEtcd, type User } from '../../kube/apiserver.ts'
import { kubectl, SYSTEM } from '../../kube/compiler.ts'
import { type ControllerManager, startControllers } from '../../kube/controller-manager.ts'
import { CRDS } from '../../kube/crds.ts'
import { portolan } from '../session.ts'

/** Where the hub would look for the member: nobody does, here. */
const SERVER = 'https://192.0.2.10:6443'
const READER: User = { name: 'reader', groups: ['system:authenticated'] }

let etcd: Etcd
let hub: ApiServer
let member: ApiServer
let controllers: ControllerManager
let dir: string
let client: KubeClient
let memberClient: KubeClient

async function start(): Promise<ApiServer> {
  const api = await startApiServer({ etcd, users: [READER] })
  await kubectl(api, ['apply', ...CRDS])
  await kubectl(api, ['create', 'namespace', SYSTEM])
  const parts = [
    'compiler/rbac',
    'compiler/deployment',
    'federation/rbac',
    'federation/member',
    'federation/deployment',
  ]
  await kubectl(api, ['apply', '-f', '-'], await render(...parts.flatMap((each) => ['-s', `templates/${each}.yaml`])))
  return api
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'portolan-join-'))
  etcd = await startEtcd()
  ;[hub, member] = await Promise.all([start(), start()])
  controllers = await startControllers(member, ['serviceaccount-token-controller'])
  await writeFile(join(dir, 'kubeconfig'), JSON.stringify(await kubeconfig()))
  client = createClient(hub.connection)
  memberClient = createClient(member.connection)
})
afterAll(async () => {
  await controllers?.stop()
  await Promise.all([client?.close(), memberClient?.close()])
  await Promise.all([hub?.stop(), member?.stop()])
  await etcd?.stop()
  await rm(dir, { recursive: true, force: true })
})

/** Contexts `hub` and `far` of an administrator, and `far-reader` of somebody without rights. */
async function kubeconfig() {
  const entries = await Promise.all(
    Object.entries({ hub, far: member }).map(async ([name, api]) => {
      const { clusters, users } = JSON.parse(await readFile(api.kubeconfig, 'utf8'))
      return { name, cluster: clusters[0].cluster, user: users[0].user }
    }),
  )
  const { headers } = await member.connectionOf(READER).credentials()
  const token = headers['authorization']?.replace('Bearer ', '')
  return {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: entries.map(({ name, cluster }) => ({ name, cluster })),
    users: [...entries.map(({ name, user }) => ({ name, user })), { name: 'reader', user: { token } }],
    contexts: [
      ...entries.map(({ name }) => ({ name, context: { cluster: name, user: name } })),
      { name: 'far-reader', context: { cluster: 'far', user: 'reader' } },
    ],
    'current-context': 'hub',
  }
}

const run = (line: string) => portolan(['cluster', ...line.split(' '), '--kubeconfig', join(dir, 'kubeconfig')])
const JOIN = `join far --context far --hub-context hub --server ${SERVER} --gateway-host 192.0.2.20 --gateway-port 81 --no-wait`

const cluster = async (name: string) => {
  const found = await client.get(CLUSTERS, { name })
  return found.ok ? found.value : undefined
}
const given = async () => {
  const secret = must(await client.get(SECRETS, { namespace: SYSTEM, name: 'portolan-kubeconfig-far' }))
  return Buffer.from(secret.data?.['kubeconfig'] ?? '', 'base64').toString()
}
const tokens = async () =>
  must(await memberClient.list(SECRETS, { namespace: SYSTEM })).items.map(({ metadata }) => metadata.name)
const remains = async () => ({
  hub: (await kubectl(hub, ['get', 'clusters,secrets', '-A', '-o', 'name'])).trim(),
  member: (await kubectl(member, ['get', 'secrets,sa,rolebindings,clusterrolebindings', '-n', SYSTEM, '-o', 'name']))
    .split('\n')
    .filter((name) => name.includes('portolan-hub')),
})

// One after another: each goes on where the one before has left the clusters.
describe('a cluster', () => {
  test('joins: an account in the member, a kubeconfig of it and a Cluster on the hub', async () => {
    const { code, out, err } = await run(`${JOIN} --region eu`)
    expect({ code, out, err }).toMatchInlineSnapshot(`
      {
        "code": 0,
        "err": "",
        "out": "far: ServiceAccount portolan-hub may do what role portolan-member allows, and nothing else
      hub: Cluster far and its kubeconfig, Secret portolan-system/portolan-kubeconfig-far, to https://192.0.2.10:6443
      far: gateway at 192.0.2.20:81
      far is registered as eu/default/default/far; how it fares: portolan cluster list
      ",
      }
    `)
    expect((await cluster('far'))?.spec).toEqual({
      region: 'eu',
      zone: 'default',
      group: 'default',
      gatewayHost: '192.0.2.20',
      gatewayPort: 81,
      globalServices: 'Auto',
      kubeconfigSecretRef: { name: 'portolan-kubeconfig-far', key: 'kubeconfig' },
    })
    const read = parseKubeconfig(await given())
    expect(read).toMatchObject({ ok: true, connection: { server: SERVER, namespace: SYSTEM } })
    const { metadata } = must(await client.get(SECRETS, { namespace: SYSTEM, name: 'portolan-kubeconfig-far' }))
    const uid = (await cluster('far'))?.metadata.uid
    expect(metadata).toMatchObject({ ownerReferences: [{ kind: 'Cluster', name: 'far', uid }] })
  })

  test('gives the hub the rights of role portolan-member, and no others', async () => {
    const file = join(dir, 'hub.kubeconfig')
    await writeFile(file, (await given()).replace(SERVER, member.server))
    const may = async (...args: readonly string[]) =>
      (await member.kubectl(['auth', 'can-i', ...args, '--kubeconfig', file])).stdout.trim()
    expect(await may('create', 'serviceimports', '-A')).toBe('yes')
    expect(await may('patch', 'configmaps/portolan-cluster', '-n', SYSTEM)).toBe('yes')
    for (const denied of ['get secrets', 'list secrets', 'create pods', 'patch services', 'delete serviceexports'])
      expect([denied, await may(...denied.split(' '), '-A')]).toEqual([denied, 'no'])
  })

  test('is listed', async () => {
    expect(await run('list')).toMatchObject({ code: 1 })
    expect((await run('list')).out).toMatchInlineSnapshot(`
      "NAME  CLUSTER KEY             GATEWAY        MANAGED  REASON  SINCE  VERSION  EXPORTS  IMPORTS  GLOBAL SERVICES  EXPIRES
      far   eu/default/default/far  192.0.2.20:81  Unknown  -       -      -        -        -        -                -
      "
    `)
    expect(JSON.parse((await run('list -o json')).out)).toEqual([
      {
        name: 'far',
        clusterKey: 'eu/default/default/far',
        gateway: { host: '192.0.2.20', port: 81 },
        managed: 'Unknown',
        globalServices: { setting: 'Auto' },
      },
    ])
    const credentialsExpire = '2099-01-01T00:00:00Z'
    const patch = JSON.stringify({ status: { credentialsExpire } })
    await kubectl(hub, ['patch', 'cluster', 'far', '--subresource=status', '--type=merge', '-p', patch])
    expect((await run('list')).out).toMatch(/ EXPIRES\nfar .* 2099-01-01T00:00:00Z\n$/)
    expect(JSON.parse((await run('list -o json')).out)).toMatchObject([{ credentialsExpire }])
    const gone = JSON.stringify({ status: { credentialsExpire: null } })
    await kubectl(hub, ['patch', 'cluster', 'far', '--subresource=status', '--type=merge', '-p', gone])
  })

  test('joins again: a new token, and what was said before stays as it was', async () => {
    const before = await given()
    const { code } = await run('join far --context far --hub-context hub --no-wait --group shop')
    expect(code).toBe(0)
    expect((await cluster('far'))?.spec).toMatchObject({ region: 'eu', group: 'shop', gatewayHost: '192.0.2.20' })
    const after = await given()
    expect(after).not.toBe(before)
    expect(after).toContain(SERVER)
    // Nobody has said yet that the new one is in use.
    expect(await tokens()).toHaveLength(2)
  })

  test('is said not to be managed when no hub takes it up, and keeps its token', async () => {
    const { code, err } = await run('join far --context far --hub-context hub --timeout 0.1')
    expect(code).toBe(1)
    expect(err).toBe(
      'error: hub does not manage far after 0.1 s: its controller has said nothing; see the pods of Deployment portolan-federation; the token it had is still good\n',
    )
    expect(await tokens()).toHaveLength(3)
  })

  test('leaves, without a trace', async () => {
    const { code, out } = await run('leave far --context far --hub-context hub')
    expect(code).toBe(0)
    expect(out.replaceAll(/token-[0-9a-f]{6}/g, 'token-RANDOM')).toMatchInlineSnapshot(`
      "hub: Cluster far is removed
      hub: nothing of far is exported any more
      far: ClusterRoleBinding portolan-hub is removed
      far: RoleBinding portolan-system/portolan-hub is removed
      far: Secret portolan-system/portolan-hub-token-RANDOM is removed
      far: Secret portolan-system/portolan-hub-token-RANDOM is removed
      far: Secret portolan-system/portolan-hub-token-RANDOM is removed
      far: ServiceAccount portolan-system/portolan-hub is removed
      "
    `)
    expect(await remains()).toEqual({ hub: '', member: [] })
  })

  test("leaves, and takes along what the hub wrote by the standard's labels, and nobody else's slices", async () => {
    await run(JOIN)
    const slice = (name: string) => ({
      metadata: {
        namespace: 'default',
        name,
        labels: { ...MANAGED_BY, [MCS_SERVICE_NAME_LABEL]: 'pay' },
      },
      addressType: 'IPv4' as const,
      endpoints: [],
      ports: [],
    })
    for (const [name, manager] of [
      ['ours', FIELD_MANAGER.federation],
      ['theirs', 'somebody'],
    ] as const)
      must(await memberClient.apply(ENDPOINT_SLICES, slice(name) as never, { manager }))
    const import_ = {
      metadata: { namespace: 'default', name: 'pay', labels: MANAGED_BY },
      spec: { ports: [{ port: 80 }] },
    }
    must(await memberClient.apply(SERVICE_IMPORTS, import_ as never, { manager: FIELD_MANAGER.federation }))
    const { code, out } = await run('leave far --context far --hub-context hub')
    expect(code).toBe(0)
    expect(out).toContain('far: ServiceImport default/pay is removed\nfar: EndpointSlice default/ours is removed\n')
    const left = must(await memberClient.list(ENDPOINT_SLICES, { labelSelector: MCS_SERVICE_NAME_LABEL })).items
    expect(left.map(({ metadata }) => metadata.name)).toEqual(['theirs'])
    expect(must(await memberClient.list(SERVICE_IMPORTS)).items).toEqual([])
  })

  test('leaves although it does not answer, and what is left in it is said', async () => {
    await run(JOIN)
    await member.kill()
    const { code, out } = await run('leave far --context far --hub-context hub')
    await member.start()
    expect(code).toBe(0)
    expect(out).toMatch(
      /^hub: Cluster far is removed\nhub: nothing .*\nleft in far: ServiceAccount portolan-hub, .*; to have them removed, see to it that it answers \(far: cannot get \/version: .*\) and do this again\n$/,
    )
    expect((await remains()).hub).toBe('')
    expect((await run('leave far --context far --hub-context hub')).code).toBe(0)
    expect(await remains()).toEqual({ hub: '', member: [] })
  })

  test('leaves without its context: what is left in it is said', async () => {
    await run(JOIN)
    const { code, out } = await run('leave far --hub-context hub -o yaml')
    expect(code).toBe(0)
    expect(out).toMatchInlineSnapshot(`
      "cluster: far
      outcome: left
      left:
        - "in far: ServiceAccount portolan-hub, its bindings and its token; to have them removed, name its --context and do this again"
      "
    `)
    expect((await remains()).hub).toBe('')
    expect((await remains()).member).not.toEqual([])
    expect((await run('leave far --context far --hub-context hub')).code).toBe(0)
    expect(await remains()).toEqual({ hub: '', member: [] })
  })
})

describe('refused, before anything is written', () => {
  const refused = async (line: string) => {
    const { code, err, out } = await run(line)
    expect(out).toBe('')
    expect(await remains()).toEqual({ hub: expect.not.stringContaining('kubeconfig-'), member: [] })
    return `exit code ${code}\n${err}`
  }
  beforeEach(async () => {
    await client.delete(CLUSTERS, { name: 'far' })
    await memberClient.delete(CONFIGMAPS, { namespace: SYSTEM, name: 'portolan-cluster' })
  })

  test('an API server that only this machine reaches', async () => {
    expect(await refused('join far --context far --gateway-host 192.0.2.20 --gateway-port 81')).toContain(
      'error: the hub cannot reach the API server at https://127.0.0.1:',
    )
  })
  test('a gateway that cannot be found', async () => {
    expect(await refused(`join far --context far --server ${SERVER}`)).toMatchInlineSnapshot(`
      "exit code 2
      error: far: where other clusters reach the gateway cannot be told: there is no Service portolan-gateway; give --gateway-host and --gateway-port
      "
    `)
  })
  test('a gateway that nobody reaches, and a name that is none', async () => {
    const line = JOIN.replace('192.0.2.20', '127.0.0.1').replace('join far', 'join Far_1')
    expect(await refused(line)).toMatchInlineSnapshot(`
      "exit code 2
      error: Cluster Far_1: metadata.name: "Far_1" is not a name that Kubernetes takes. Use lower-case letters, digits, - and ., for example far-1. spec.gatewayHost: "127.0.0.1" means something else on every machine (loopback). Write the address that other clusters reach the gateway at.
      "
    `)
  })
  test('a name that another hand has given away', async () => {
    const taken = {
      apiVersion: 'flomesh.io/v1alpha1',
      kind: 'Cluster',
      metadata: { name: 'far' },
      spec: { gatewayHost: '192.0.2.30', gatewayPort: 80, kubeconfig: 'kind: Config' },
    }
    await kubectl(hub, ['apply', '-f', '-'], JSON.stringify(taken))
    expect(await refused(JOIN)).toMatchInlineSnapshot(`
      "exit code 2
      error: Cluster far is there with a kubeconfig that this command did not make; choose another name, or delete it first: portolan cluster leave far
      "
    `)
  })
  test('a cluster that has joined under another name', async () => {
    const data = ['--from-literal=clusterKey=default/default/default/north', '-n', SYSTEM]
    await kubectl(member, ['create', 'configmap', 'portolan-cluster', ...data])
    expect(await refused(JOIN)).toMatchInlineSnapshot(`
      "exit code 2
      error: far is Cluster north of a hub already; first portolan cluster leave north
      "
    `)
    expect(await refused('leave far --context far')).toMatchInlineSnapshot(`
      "exit code 2
      error: the cluster of context far is not far: its hub calls it default/default/default/north; name the context of far
      "
    `)
  })
  test('somebody who may not', async () => {
    expect(await refused(JOIN.replace('--context far', '--context far-reader'))).toMatch(
      /^exit code 2\nerror: far-reader: cannot get .* is forbidden: .*; ask for this permission, or use a kubeconfig that has it\n$/,
    )
  })
  test('a context that the kubeconfig has not', async () => {
    expect(await refused(JOIN.replace('--hub-context hub', '--hub-context nope'))).toMatchInlineSnapshot(`
      "exit code 2
      error: the kubeconfig has no context nope; name one of its contexts: far, far-reader, hub
      "
    `)
  })
  test('a hub that is none', async () => {
    expect(await refused(`${JOIN} --hub-namespace elsewhere`)).toMatchInlineSnapshot(`
      "exit code 2
      error: hub is no hub: there is no Deployment portolan-federation in namespace elsewhere; make it one with portolan install --hub, or name another --hub-context
      "
    `)
  })
  test('a gateway whose load balancer has no address', async () => {
    const gateway = { apiVersion: 'v1', kind: 'Service', metadata: { namespace: SYSTEM, name: 'portolan-gateway' } }
    const spec = { type: 'LoadBalancer', ports: [{ name: 'http', port: 80 }] }
    await kubectl(member, ['apply', '-f', '-'], JSON.stringify({ ...gateway, spec }))
    expect(await refused(`join far --context far --server ${SERVER}`)).toMatchInlineSnapshot(`
      "exit code 2
      error: far: where other clusters reach the gateway cannot be told: Service portolan-gateway has no address yet: nothing in the cluster has given its load balancer one; give --gateway-host and --gateway-port, or have it listen on the nodes: portolan install --gateway-host-port PORT, or --gateway-type NodePort
      "
    `)
    await kubectl(member, ['delete', 'service', '-n', SYSTEM, 'portolan-gateway'])
  })
  test('to leave under a name that the hub does not know, where nothing is left to remove', async () => {
    const { code, out } = await run('leave fra --context far --hub-context hub')
    expect({ code, out }).toEqual({
      code: 0,
      out: 'hub has no Cluster fra; it has none, and nothing of a hub is in the cluster of context far\n',
    })
  })
  test('to leave without ever having joined', async () => {
    expect(await refused('leave fra')).toMatchInlineSnapshot(`
      "exit code 2
      error: hub has no Cluster fra; it has none
      "
    `)
  })
})

describe('two clusters without a third', () => {
  const CONNECT = `connect --context hub --destination-context far --gateway-host 192.0.2.10 --gateway-port 81 --destination-server ${SERVER} --destination-gateway-host 192.0.2.20 --destination-gateway-port 82`
  let own: ControllerManager
  beforeAll(async () => {
    await client.delete(CLUSTERS, { name: 'far' })
    await memberClient.delete(CONFIGMAPS, { namespace: SYSTEM, name: 'portolan-cluster' })
    own = await startControllers(hub, ['serviceaccount-token-controller'])
  })
  afterAll(() => own?.stop())

  /** As the hub's controller does it. */
  const manage = async (name: string, api: ApiServer) => {
    const found = must(await client.get(CLUSTERS, { name }))
    const system = JSON.parse(await kubectl(api, ['get', 'namespace', 'kube-system', '-o', 'json']))
    const { uid = '' } = found.metadata
    const cluster = { name, uid, clusterKey: `a/b/c/${name}`, namespace: SYSTEM, apiServer: system.metadata.uid }
    const memory = { cluster, kubeconfig: '', view: { exports: [], services: [] } }
    must(await client.apply(SECRETS, memorySecret(SYSTEM, memory, undefined), { manager: 'test' }))
    const condition = { type: 'Managed', status: 'True', reason: 'Connected', message: `${name} is here` }
    const status = { conditions: [{ ...condition, lastTransitionTime: '2026-01-02T03:04:05Z' }] }
    await kubectl(hub, [
      'patch',
      'cluster',
      name,
      '--subresource=status',
      '--type=merge',
      '-p',
      JSON.stringify({ status }),
    ])
  }

  test('are told of each other: the first is the hub, and reaches itself from within', async () => {
    const { code, out, err } = await run(`${CONNECT} --no-wait`)
    expect({ code, out, err }).toMatchInlineSnapshot(`
      {
        "code": 0,
        "err": "",
        "out": "hub: ServiceAccount portolan-hub may do what role portolan-member allows, and nothing else
      hub: Cluster hub and its kubeconfig, Secret portolan-system/portolan-kubeconfig-hub, to https://kubernetes.default.svc
      hub: gateway at 192.0.2.10:81
      hub is registered as default/default/default/hub; how it fares: portolan cluster list
      far: ServiceAccount portolan-hub may do what role portolan-member allows, and nothing else
      hub: Cluster far and its kubeconfig, Secret portolan-system/portolan-kubeconfig-far, to https://192.0.2.10:6443
      far: gateway at 192.0.2.20:82
      far is registered as default/default/default/far; how it fares: portolan cluster list
      hub and far are told of each other: each can call what the other exports, or shares by annotation
      ",
      }
    `)
    expect((await cluster('hub'))?.spec).toMatchObject({ gatewayHost: '192.0.2.10', gatewayPort: 81 })
    expect((await cluster('far'))?.spec).toMatchObject({ gatewayHost: '192.0.2.20', gatewayPort: 82 })
    const ofHub = must(await client.get(SECRETS, { namespace: SYSTEM, name: 'portolan-kubeconfig-hub' }))
    const read = parseKubeconfig(Buffer.from(ofHub.data?.['kubeconfig'] ?? '', 'base64').toString())
    expect(read).toMatchObject({ ok: true, connection: { server: 'https://kubernetes.default.svc' } })
  })

  test('are left as they are when the hub manages them, whichever is named first', async () => {
    await manage('hub', hub)
    await manage('far', member)
    const before = [await given(), await tokens()]
    for (const line of [
      'connect --context hub --destination-context far',
      'connect --context far --destination-context hub',
    ]) {
      const { code, out } = await run(line)
      expect({ code, out }).toMatchInlineSnapshot(`
        {
          "code": 0,
          "out": "hub is managed by hub as default/default/default/hub already
        far is managed by hub as default/default/default/far already
        hub and far are connected: each can call what the other exports, or shares by annotation
        ",
        }
      `)
    }
    expect([await given(), await tokens()]).toEqual(before)
    const { out } = await run('connect --destination-context far -o json')
    expect(JSON.parse(out)).toMatchObject({
      hub: 'hub',
      clusters: [
        { cluster: 'hub', member: 'hub', managed: true, server: 'https://kubernetes.default.svc' },
        { cluster: 'far', member: 'far', managed: true, server: SERVER, gateway: { host: '192.0.2.20', port: 82 } },
      ],
    })
  })

  test('join anew what a flag says otherwise of', async () => {
    const { code } = await run('connect --destination-context far --destination-gateway-port 83 --no-wait')
    expect(code).toBe(0)
    expect((await cluster('far'))?.spec).toMatchObject({ gatewayHost: '192.0.2.20', gatewayPort: 83 })
    expect((await cluster('hub'))?.spec).toMatchObject({ gatewayHost: '192.0.2.10', gatewayPort: 81 })
  })

  describe('are refused', () => {
    const refused = async (line: string) => {
      const { code, err, out } = await run(line)
      expect([code, out]).toEqual([2, ''])
      return err
    }
    test('when one of them lacks Portolan', async () => {
      expect(await refused(`${CONNECT} --destination-namespace elsewhere`)).toMatchInlineSnapshot(`
        "error: far: Portolan is not installed in namespace elsewhere; it is in namespace portolan-system: add --destination-namespace portolan-system
        "
      `)
    })
    test('when they are one', async () => {
      expect(await refused('connect --context far --destination-context far')).toBe(
        'error: far and far are the same cluster; name two of them\n',
      )
    })
    test('when the other belongs to another hub', async () => {
      await kubectl(hub, ['delete', 'cluster', 'far', '--wait=false'])
      for (const name of ['portolan-member-far', 'portolan-kubeconfig-far'])
        await client.delete(SECRETS, { namespace: SYSTEM, name })
      const data = ['--from-literal=clusterKey=default/default/default/north', '--from-literal=hub=another']
      await kubectl(member, ['create', 'configmap', 'portolan-cluster', '-n', SYSTEM, ...data])
      expect(await refused(CONNECT)).toContain('error: far is Cluster north of another hub already; ')
      await kubectl(member, ['delete', 'configmap', 'portolan-cluster', '-n', SYSTEM])
    })
    test('when the hub would look for the other on its own machine', async () => {
      expect(await refused(CONNECT.replace(`--destination-server ${SERVER}`, '').replaceAll('  ', ' '))).toMatch(
        /^error: the hub cannot reach the API server at https:\/\/127\.0\.0\.1.* with --destination-server https:/,
      )
    })
    test('when a gateway cannot be found', async () => {
      expect(await refused(`connect --destination-context far --destination-server ${SERVER}`)).toContain(
        'give --destination-gateway-host and --destination-gateway-port',
      )
    })
  })
})
