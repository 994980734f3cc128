/** What a hub says of members that are not well, and that they trouble nobody else. */
import { X509Certificate } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { CLUSTERS, SECRETS, SERVICE_EXPORTS } from '../../api/resources.ts'
import { issueRoot } from '../../certs/issue.ts'
import { ADMIN, startApiServer } from '../kube/apiserver.ts'
import { kubectl, SYSTEM } from '../kube/compiler.ts'
import { startLine } from '../kube/line.ts'
import { until } from '../lab/run.ts'
import {
  clusterObject,
  clusterOf,
  conditionOf,
  enlist,
  event,
  givers,
  imports,
  importsNot,
  keyOf,
  managed,
  offer,
  type Replica,
  type Site,
  STRANGER,
  type Stage,
  secretOf,
  startStage,
} from './hub.ts'

let stage: Stage
let replica: Replica
let east: Site
let west: Site
let north: Site
beforeAll(async () => {
  stage = await startStage(['east', 'west', 'north'])
  east = stage.site('east')
  west = stage.site('west')
  north = stage.site('north')
  replica = await stage.start()
  for (const site of stage.members) await enlist(stage, site)
  await east.apply(...offer('shop/pay'))
  await imports(west, 'shop/pay', ['east'])
  await imports(north, 'shop/pay', ['east'])
})
afterAll(() => stage?.stop())
beforeEach(async () => {
  for (const { name } of stage.members) await managed(stage, name, 'Connected')
})

const told = async (name: string) => conditionOf(await clusterOf(stage, name), 'Managed')
/** Another refusal may be heard of first: the words follow. */
const saying = (name: string, words: RegExp) =>
  until(`${name}: ${words}`, async () => words.test((await told(name))?.message ?? ''))

describe('reasons', () => {
  test('an authority that did not sign the certificate: TLSError', async () => {
    const other = await startApiServer()
    const ca = String((await other.connection.credentials()).tls.ca)
    await other.stop()
    await enlist(stage, east, { change: { ca } })
    await managed(stage, 'east', 'TLSError')
    await enlist(stage, east)
    await managed(stage, 'east', 'Connected')
  })

  test('a token that nobody knows: Unauthorized, and no trace of it anywhere', async () => {
    const token = 'a-secret-that-nobody-may-see'
    await enlist(stage, east, { change: { token } })
    await managed(stage, 'east', 'Unauthorized')
    expect(JSON.stringify([await clusterOf(stage, 'east'), replica.log])).not.toContain(token)
    await enlist(stage, east)
    await managed(stage, 'east', 'Connected')
  })

  test('an account without rights: Forbidden, naming what is missing', async () => {
    await enlist(stage, east, { change: { user: STRANGER } })
    await managed(stage, 'east', 'Forbidden')
    await saying('east', /cannot list (.*, )?services, .*, nor watch /)
    await enlist(stage, east)
    await managed(stage, 'east', 'Connected')
  })

  test('a right to write that is missing: Forbidden as well, and healed once granted', async () => {
    await kubectl(north.api, [
      'patch',
      'clusterrole',
      'portolan-member',
      '--type=json',
      '-p',
      without('serviceimports'),
    ])
    await east.apply(...offer('shop/more'))
    await managed(stage, 'north', 'Forbidden')
    expect((await told('north'))?.message).toContain('serviceimports')
    await imports(west, 'shop/more', ['east'])
    await kubectl(north.api, ['patch', 'clusterrole', 'portolan-member', '--type=json', '-p', GRANT_ALL])
    await imports(north, 'shop/more', ['east'])
  })

  test.each([
    ['its ClusterRole is deleted', ['clusterrole', 'portolan-member']],
    ['the binding of it is deleted', ['clusterrolebinding', 'portolan-hub']],
    ['the binding of the Role is deleted', ['rolebinding', 'portolan-hub', '-n', SYSTEM]],
  ])('%s while watches are open: Forbidden, nothing is withdrawn, and healed once granted', async (_, what) => {
    const { metadata, ...rest } = JSON.parse(await kubectl(east.api, ['get', ...what, '-o', 'json']))
    await kubectl(east.api, ['delete', ...what])
    await managed(stage, 'east', 'Forbidden')
    await saying(
      'east',
      what.includes(SYSTEM)
        ? /list configmaps portolan-system\/portolan-cluster/
        : /list .*serviceexports\.flomesh\.io/,
    )
    if (what.includes('clusterrole')) await saying('east', /"portolan-member" not found/)
    await event(stage.hub, 'east', 'Forbidden')
    if (what.includes('clusterrole')) {
      const refusals = () =>
        replica.log.filter(({ resource, reason }) => resource === 'serviceexports' && reason === 'Forbidden').length
      const before = refusals()
      await east.api.kill()
      await east.api.start()
      await until('watches are refused as well', () => refusals() > before)
      await managed(stage, 'east', 'Forbidden')
    }
    expect([(await told('west'))?.reason, (await told('north'))?.reason]).toEqual(['Connected', 'Connected'])
    await west.apply(...offer('shop/unmoved'))
    await imports(north, 'shop/unmoved', ['west'])
    expect(givers(await west.importOf('shop/pay'))).toEqual([keyOf('east')])
    const { name, namespace } = metadata
    await kubectl(east.api, ['create', '-f', '-'], JSON.stringify({ ...rest, metadata: { name, namespace } }))
    await managed(stage, 'east', 'Connected')
    await imports(east, 'shop/unmoved', ['west'])
    await west.remove(SERVICE_EXPORTS, { namespace: 'shop', name: 'unmoved' })
    await importsNot(east, 'shop/unmoved')
  })

  test('its ClusterRole is bound in one namespace alone while watches are open: Forbidden', async () => {
    const binding = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'portolan-member' }
    const { metadata, ...rest } = JSON.parse(
      await kubectl(east.api, ['get', 'clusterrolebinding', 'portolan-hub', '-o', 'json']),
    )
    const bound = (kind: string, name: string) =>
      JSON.stringify({ ...rest, kind, metadata: { name, namespace: SYSTEM }, roleRef: binding })
    await kubectl(east.api, ['create', '-f', '-'], bound('RoleBinding', 'everything-here'))
    await kubectl(east.api, ['delete', 'clusterrolebinding', 'portolan-hub'])
    await managed(stage, 'east', 'Forbidden')
    await saying('east', /list .*serviceexports\.flomesh\.io/)
    await kubectl(east.api, ['create', '-f', '-'], bound('ClusterRoleBinding', metadata.name))
    await managed(stage, 'east', 'Connected')
    await kubectl(east.api, ['delete', 'rolebinding', 'everything-here', '-n', SYSTEM])
  })

  test('nothing there at all: Unreachable, since when', async () => {
    const { lastSeen } = (await clusterOf(stage, 'east'))?.status ?? {}
    await enlist(stage, east, { change: { server: 'https://127.0.0.1:1' } })
    const cluster = await managed(stage, 'east', 'Unreachable')
    expect(conditionOf(cluster, 'Managed')?.message).toContain(cluster.status?.lastSeen)
    expect(Date.parse(cluster.status?.lastSeen ?? '')).toBeGreaterThanOrEqual(Date.parse(lastSeen ?? ''))
    await enlist(stage, east)
    await managed(stage, 'east', 'Connected')
  })

  test('no Secret, no key, no kubeconfig, and one that needs files', async () => {
    const name = 'portolan-kubeconfig-east'
    await stage.hub.remove(SECRETS, { namespace: SYSTEM, name })
    await managed(stage, 'east', 'KubeconfigSecretMissing')
    await stage.hub.apply({ ...secretOf('east', ''), stringData: { kubeconfg: 'x' } })
    expect((await told('east'))?.reason).toBe('KubeconfigSecretMissing')
    await stage.hub.apply(secretOf('east', 'no: kubeconfig'))
    await managed(stage, 'east', 'KubeconfigInvalid')
    const text = (await east.kubeconfig()).replace('"token"', '"exec":{"command":"aws"},"token"')
    await stage.hub.apply(secretOf('east', text))
    await until('it says so', async () => (await told('east'))?.message.includes('user.exec'))
    expect(givers(await west.importOf('shop/pay'))).toEqual([keyOf('east')])
    await enlist(stage, east)
    await managed(stage, 'east', 'Connected')
  })

  test('a Secret of another namespace: Forbidden until the hub may read it', async () => {
    const spec = { kubeconfigSecretRef: { namespace: 'elsewhere', name: 'member', key: 'kubeconfig' } }
    await kubectl(stage.hub.api, ['create', 'namespace', 'elsewhere'])
    const kubeconfig = await east.kubeconfig()
    await stage.hub.apply({ ...secretOf('east', kubeconfig), metadata: { namespace: 'elsewhere', name: 'member' } })
    await stage.hub.apply(clusterObject('east', spec))
    await managed(stage, 'east', 'Forbidden')
    expect((await told('east'))?.message).toContain('elsewhere')
    const may = ['--verb=get,list,watch', '--resource=secrets', '--resource-name=member', '-n', 'elsewhere']
    await kubectl(stage.hub.api, ['create', 'role', 'read', ...may])
    const account = `--serviceaccount=${SYSTEM}:portolan-federation`
    await kubectl(stage.hub.api, ['create', 'rolebinding', 'read', '--role=read', account, '-n', 'elsewhere'])
    await managed(stage, 'east', 'Connected')
    await stage.hub.apply(clusterObject('east'))
  })

  test('a cluster without Portolan: NotInstalled, and connected once it is', async () => {
    const crd = 'serviceexports.flomesh.io'
    const definition = await kubectl(north.api, ['get', 'crd', crd, '-o', 'json'])
    const { metadata, status: _, ...rest } = JSON.parse(definition)
    await kubectl(north.api, ['delete', 'crd', crd])
    await managed(stage, 'north', 'NotInstalled')
    await kubectl(north.api, ['create', '-f', '-'], JSON.stringify({ ...rest, metadata: { name: metadata.name } }))
    await managed(stage, 'north', 'Connected')
  })

  test('no such namespace in it: NotInstalled; what is exported is imported all the same', async () => {
    await enlist(stage, north, { change: { user: ADMIN, namespace: 'nowhere' } })
    await managed(stage, 'north', 'NotInstalled')
    expect((await told('north'))?.message).toContain('nowhere')
    await east.apply(...offer('shop/all-the-same'))
    await imports(north, 'shop/all-the-same', ['east'])
    await enlist(stage, north)
    await managed(stage, 'north', 'Connected')
  })

  test('what cannot be written is no trouble any more when nobody wants it', async () => {
    await kubectl(north.api, [
      'patch',
      'clusterrole',
      'portolan-member',
      '--type=json',
      '-p',
      without('serviceimports'),
    ])
    await east.apply(...offer('shop/brief'))
    await managed(stage, 'north', 'Forbidden')
    await east.remove(SERVICE_EXPORTS, { namespace: 'shop', name: 'brief' })
    await managed(stage, 'north', 'Connected')
    await kubectl(north.api, ['patch', 'clusterrole', 'portolan-member', '--type=json', '-p', GRANT_ALL])
  })

  test('inline, as in the oldest manifests', async () => {
    const kubeconfig = await east.kubeconfig()
    const { spec, ...rest } = clusterObject('east')
    const { kubeconfigSecretRef: ref, ...others } = spec
    await stage.hub.apply({ ...rest, spec: { ...others, kubeconfig } })
    await until('it has', async () => (await clusterOf(stage, 'east'))?.spec.kubeconfig !== undefined)
    await managed(stage, 'east', 'Connected')
    await stage.hub.apply({ ...rest, spec: { ...others, kubeconfigSecretRef: ref } })
  })
})

test('credentials are rotated: the new ones are used at once, and nothing else changes', async () => {
  const text = await east.kubeconfig()
  await stage.hub.apply(secretOf('east', text.replace('"namespace"', '"comment":"new","namespace"')))
  await until('the new kubeconfig is the one that is remembered', async () => {
    const memory = await stage.hub.get(SECRETS, { namespace: SYSTEM, name: 'portolan-member-east' })
    return Buffer.from(memory?.data?.['kubeconfig'] ?? '', 'base64')
      .toString()
      .includes('"comment":"new"')
  })
  expect((await told('east'))?.reason).toBe('Connected')
  await east.apply(...offer('shop/rotated'))
  await imports(west, 'shop/rotated', ['east'])
})

test('credentials that expire say when, and an Event says so in time', async () => {
  const { cert, key } = await issueRoot({ commonName: 'hub', now: Date.now(), lifeMs: 24 * 3_600_000 })
  const data = (pem: string) => JSON.stringify(Buffer.from(pem).toString('base64'))
  const text = (await west.kubeconfig()).replace(
    '"token"',
    `"client-certificate-data":${data(cert)},"client-key-data":${data(key)},"token"`,
  )
  await stage.hub.apply(secretOf('west', text))
  await until('it says when', async () => {
    const { credentialsExpire } = (await clusterOf(stage, 'west'))?.status ?? {}
    return credentialsExpire === new Date(new X509Certificate(cert).validTo).toISOString().replace(/\.\d+/, '')
  })
  await event(stage.hub, 'west', 'CredentialsExpire')
  await managed(stage, 'west', 'Connected')
  await enlist(stage, west)
  await until('it is over', async () => (await clusterOf(stage, 'west'))?.status?.credentialsExpire === undefined)
})

test('a member is frozen: others are served as before, and it catches up when it thaws', async () => {
  east.api.freeze(true)
  await managed(stage, 'east', 'Unreachable')
  await west.apply(...offer('shop/meanwhile'))
  await imports(north, 'shop/meanwhile', ['west'])
  expect(givers(await west.importOf('shop/pay'))).toEqual([keyOf('east')])
  east.api.freeze(false)
  await managed(stage, 'east', 'Connected')
  await imports(east, 'shop/meanwhile', ['west'])
})

test('a member is dead for a while: what it exports stays', async () => {
  await east.api.kill()
  await managed(stage, 'east', 'Unreachable')
  await west.apply(...offer('shop/while-dead'))
  await imports(north, 'shop/while-dead', ['west'])
  expect(givers(await north.importOf('shop/pay'))).toEqual([keyOf('east')])
  await east.api.start()
  await managed(stage, 'east', 'Connected')
  await imports(east, 'shop/while-dead', ['west'])
})

test('a line goes dead without a word: after it, nothing is missed', async () => {
  const line = await startLine(east.api.port)
  await enlist(stage, east, { change: { server: `https://127.0.0.1:${line.port}` } })
  await until('it is by the line', () => line.connections() > 5)
  await managed(stage, 'east', 'Connected')
  line.goSilent()
  line.cut()
  await managed(stage, 'east', 'Unreachable')
  await east.apply(...offer('shop/unseen'))
  line.mend()
  await imports(west, 'shop/unseen', ['east'])
  await enlist(stage, east)
  await until('it is no longer by the line', () => line.connections() === 0)
  await line.close()
})

test('a member is dead when its Cluster is deleted: it is gone everywhere else at once, and emptied when it is back', async () => {
  await west.apply(...offer('shop/needed'))
  await imports(east, 'shop/needed', ['west'])
  await east.api.kill()
  await stage.hub.remove(CLUSTERS, { name: 'east' })
  await importsNot(west, 'shop/pay')
  await importsNot(north, 'shop/pay')
  await event(stage.hub, 'east', 'LeftBehind')
  await east.api.start()
  await importsNot(east, 'shop/needed')
  await until(
    'it is forgotten',
    async () => (await stage.hub.get(SECRETS, { namespace: SYSTEM, name: 'portolan-member-east' })) === undefined,
  )
  await enlist(stage, east)
  await imports(west, 'shop/pay', ['east'])
  await east.remove(SERVICE_EXPORTS, { namespace: 'shop', name: 'unseen' })
  await importsNot(west, 'shop/unseen')
})

const rules = (verbs: Readonly<Record<string, readonly string[]>>) => [
  { apiGroups: ['flomesh.io'], resources: ['serviceexports'], verbs: ['get', 'list', 'watch'] },
  { apiGroups: ['flomesh.io'], resources: ['serviceexports/status'], verbs: ['patch'] },
  {
    apiGroups: ['flomesh.io'],
    resources: ['serviceimports'],
    verbs: verbs['serviceimports'] ?? ['get', 'list', 'watch', 'create', 'patch', 'delete'],
  },
  { apiGroups: [''], resources: ['services'], verbs: ['list', 'watch'] },
  { apiGroups: [''], resources: ['namespaces'], verbs: ['list', 'watch', 'create', 'patch'] },
  { apiGroups: ['events.k8s.io'], resources: ['events'], verbs: ['create', 'patch'] },
]
const patchOf = (value: unknown) => JSON.stringify([{ op: 'replace', path: '/rules', value }])
const GRANT_ALL = patchOf(rules({}))
const without = (resource: string) => patchOf(rules({ [resource]: ['get', 'list', 'watch'] }))
