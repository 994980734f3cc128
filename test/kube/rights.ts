/**
 * Are the rights that the chart gives enough, and is each of them needed? An account is given all of them but one, and
 * what is expected of its holder must then fail, with a refusal of that very right in the API server's audit log.
 */
import { open, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Agent, request } from 'undici'
import { describe, test } from 'vitest'
import type { KubeObject } from '../../api/meta.ts'
import { createClient, type KubeClient } from '../../kube/client.ts'
import type { Connection } from '../../kube/connection.ts'
import { must } from '../../kube/failure.ts'
import type { Resource } from '../../kube/object.ts'
import { type Manifest, parseManifests } from '../chart/helm.ts'
import { until } from '../lab/run.ts'

/** One verb on one kind of object, or on the object of one name. */
export interface Right {
  readonly role: 'ClusterRole' | 'Role'
  readonly group: string
  readonly resource: string
  readonly name?: string
  /** Of its Role, where that is not Portolan's own. */
  readonly namespace?: string
  readonly verb: string
}

/** A right, wherever it may come from. */
export type Asked = Omit<Right, 'role' | 'namespace'>

/** `list configmaps portolan-routes`, `patch serviceimports.flomesh.io/status`. */
export function textOf({ verb, resource, group, name }: Asked): string {
  const [kind = '', subresource] = resource.split('/')
  const whole = [group === '' ? kind : `${kind}.${group}`, subresource].filter((part) => part !== undefined).join('/')
  return [verb, whole, name].filter((part) => part !== undefined).join(' ')
}

/** Every right of the roles of one name in rendered manifests, cluster's and namespace's. */
export function rightsOf(manifests: string, role: string): readonly Right[] {
  return parseManifests(manifests)
    .filter(({ kind, metadata }) => /^(Cluster)?Role$/.test(kind) && metadata.name === role)
    .flatMap(({ kind, metadata: { namespace }, rules }: Manifest) =>
      (rules as readonly Rule[]).flatMap(({ apiGroups, resources, resourceNames, verbs }) =>
        apiGroups.flatMap((group) =>
          resources.flatMap((resource) =>
            (resourceNames ?? [undefined]).flatMap((name) =>
              verbs.map((verb) => ({
                role: kind as Right['role'],
                group,
                resource,
                verb,
                ...(name === undefined ? {} : { name }),
                ...(namespace === 'kube-system' ? { namespace } : {}),
              })),
            ),
          ),
        ),
      ),
    )
}

interface Rule {
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly resourceNames?: readonly string[]
  readonly verbs: readonly string[]
}

/** Somebody with exactly the rights given. */
export interface Holder {
  /** As the audit log calls him. */
  readonly user: string
  readonly token: string
}

const RBAC = { group: 'rbac.authorization.k8s.io', version: 'v1' } as const
const kinds: Readonly<Record<string, Resource<KubeObject>>> = {
  ClusterRole: { ...RBAC, plural: 'clusterroles', kind: 'ClusterRole', namespaced: false },
  ClusterRoleBinding: { ...RBAC, plural: 'clusterrolebindings', kind: 'ClusterRoleBinding', namespaced: false },
  Role: { ...RBAC, plural: 'roles', kind: 'Role', namespaced: true },
  RoleBinding: { ...RBAC, plural: 'rolebindings', kind: 'RoleBinding', namespaced: true },
  ServiceAccount: { group: '', version: 'v1', plural: 'serviceaccounts', kind: 'ServiceAccount', namespaced: true },
}

/** Makes an account `name` in `namespace`. Its rights of a Role are for that namespace, unless they say another. */
export async function createHolder(
  client: KubeClient,
  admin: Connection,
  namespace: string,
  name: string,
  rights: readonly Right[],
): Promise<Holder> {
  const create = async (kind: string, object: object, where = namespace) => {
    const metadata = kind.startsWith('Cluster') ? { name } : { namespace: where, name }
    must(await client.create(kinds[kind] as Resource<KubeObject>, { metadata, ...object } as never))
  }
  const subjects = [{ kind: 'ServiceAccount', namespace, name }]
  const grant = async (kind: Right['role'], where = namespace) => {
    const own = rights.filter((right) => right.role === kind && (right.namespace ?? namespace) === where)
    const rules = own.map((right) => ({
      apiGroups: [right.group],
      resources: [right.resource],
      verbs: [right.verb],
      ...(right.name === undefined ? {} : { resourceNames: [right.name] }),
    }))
    await create(kind, { rules }, where)
    await create(`${kind}Binding`, { subjects, roleRef: { apiGroup: RBAC.group, kind, name } }, where)
  }
  const elsewhere = new Set(rights.flatMap((right) => right.namespace ?? []))
  await Promise.all([
    create('ServiceAccount', {}),
    grant('ClusterRole'),
    grant('Role'),
    ...[...elsewhere].map((where) => grant('Role', where)),
  ])
  return { user: `system:serviceaccount:${namespace}:${name}`, token: await tokenOf(admin, namespace, name) }
}

async function tokenOf(admin: Connection, namespace: string, name: string): Promise<string> {
  const { headers, tls } = await admin.credentials()
  const agent = new Agent({ connect: { ...tls } })
  const answer = await request(`${admin.server}/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`, {
    dispatcher: agent,
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify({ apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} }),
  })
  const { status } = (await answer.body.json()) as { readonly status: { readonly token: string } }
  await agent.close()
  return status.token
}

/** The way of `holder` to the API server that `admin` leads to. */
export function connectionAs({ token }: Holder, admin: Connection): Connection {
  return {
    server: admin.server,
    credentials: async () => ({
      headers: { authorization: `Bearer ${token}` },
      tls: (await admin.credentials()).tls,
    }),
  }
}

/** What an API server was asked, by whom, and what it refused. */
export interface Audit {
  readonly args: readonly string[]
  /** The rights that somebody has lacked, each once. */
  readonly refusals: (user: string) => Promise<readonly Asked[]>
  /** Whether the server has agreed to tell of changes of a resource, of the object of one name if so asked. */
  readonly watches: (user: string, right: Omit<Asked, 'verb'>) => Promise<boolean>
}

interface Entry {
  readonly user: { readonly username: string }
  readonly verb: string
  readonly objectRef?: {
    readonly resource?: string
    readonly subresource?: string
    readonly apiGroup?: string
    readonly name?: string
  }
  readonly responseStatus?: { readonly code?: number }
  readonly annotations?: Readonly<Record<string, string>>
}

/** What a request took. A patch that was let in and then refused would have created the object. */
function askedOf({ verb, objectRef = {}, annotations }: Entry): Asked {
  const { resource = '', subresource, apiGroup: group = '', name } = objectRef
  const letIn = annotations?.['authorization.k8s.io/decision'] === 'allow'
  return {
    verb: letIn && verb === 'patch' ? 'create' : verb,
    group,
    resource: subresource === undefined ? resource : `${resource}/${subresource}`,
    ...(name === undefined ? {} : { name }),
  }
}

const POLICY = {
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived'],
  rules: [{ level: 'Metadata', userGroups: ['system:serviceaccounts'] }, { level: 'None' }],
}

/** @param dir where the log is written; `args` are for the API server */
export async function createAudit(dir: string, name: string): Promise<Audit> {
  const policy = join(dir, `${name}.policy.json`)
  const log = join(dir, `${name}.audit.log`)
  await Promise.all([writeFile(policy, JSON.stringify(POLICY)), writeFile(log, '')])
  const entries: Entry[] = []
  let offset = 0
  let rest = ''
  async function read() {
    const file = await open(log)
    const { size } = await file.stat()
    const { buffer } = await file.read({ buffer: Buffer.alloc(size - offset), position: offset })
    await file.close()
    offset = size
    const lines = (rest + buffer.toString()).split('\n')
    rest = lines.pop() ?? ''
    entries.push(...lines.map((line) => JSON.parse(line) as Entry))
  }
  return {
    args: [`--audit-policy-file=${policy}`, `--audit-log-path=${log}`, '--audit-log-mode=blocking'],
    refusals: async (user) => {
      await read()
      const refused = entries.filter((entry) => entry.user.username === user && entry.responseStatus?.code === 403)
      return [...new Map(refused.map(askedOf).map((asked) => [textOf(asked), asked])).values()]
    },
    watches: async (user, { group, resource, name }) => {
      await read()
      return entries.some(
        ({ user: { username }, verb, objectRef, responseStatus }) =>
          username === user &&
          verb === 'watch' &&
          responseStatus?.code === 200 &&
          objectRef?.resource === resource &&
          (objectRef.apiGroup ?? '') === group &&
          (name === undefined || objectRef.name === name),
      )
    },
  }
}

/** What the holder of an account does for its users. */
export interface Expectation<World> {
  readonly name: string
  /** Brings about what it is to be seen by, before the holder starts. */
  readonly arrange?: (world: World) => Promise<unknown>
  readonly holds: (world: World) => Promise<boolean>
}

export interface Trial<World> {
  readonly expectation: Expectation<World>
  readonly audit: Audit
  readonly holder: Holder
  readonly world: World
  /** Starts the holder; returns how to end it. */
  readonly start: () => Promise<() => Promise<unknown>>
}

/** The expectation comes true, and nothing that the holder asks for is refused. */
export async function holdsWithAll<World>({ expectation, audit, holder, world, start }: Trial<World>): Promise<void> {
  await expectation.arrange?.(world)
  const stop = await start()
  try {
    await until(expectation.name, () => expectation.holds(world), { timeout: 50_000, every: 25 })
    const refusals = await audit.refusals(holder.user)
    if (refusals.length > 0) throw new Error(`a right is missing: ${refusals.map(textOf).join(', ')}`)
  } finally {
    await stop()
  }
}

/** The holder is refused that right, and the expectation has not come true. @throws when it is not needed */
export async function failsWithout<World>(right: Right, trial: Trial<World>): Promise<void> {
  const { expectation, audit, holder, world, start } = trial
  await expectation.arrange?.(world)
  const stop = await start()
  try {
    const refused = async () => (await audit.refusals(holder.user)).some((asked) => isFor(asked, right))
    // Some ask for it only when they are asked something.
    const holds = () => expectation.holds(world).catch(() => false)
    const outcome = await until(
      `${textOf(right)}: the holder asks for it, or it is to be removed from the chart`,
      async () => ((await holds()) ? 'holds' : (await refused()) ? 'refused' : undefined),
      { timeout: 40_000, every: 25 },
    )
    if (outcome === 'holds' || (await holds())) throw new Error(`${expectation.name}: also without ${textOf(right)}`)
  } finally {
    await stop()
  }
}

const isFor = (asked: Asked, right: Right): boolean =>
  asked.verb === right.verb &&
  asked.group === right.group &&
  asked.resource === right.resource &&
  (right.name === undefined || asked.name === right.name)

/** Runs a server as the holder. Returns how to end it, which returns before the server has. */
export function runAs(
  holder: Holder,
  connection: Connection,
  run: (client: KubeClient, stop: AbortSignal) => Promise<void>,
): { readonly finished: Promise<void>; readonly stop: () => void } {
  const stop = new AbortController()
  const client = createClient(connectionAs(holder, connection), { timeoutMs: 5_000 })
  const finished = run(client, stop.signal).finally(() => client.close())
  return { finished, stop: () => stop.abort() }
}

/** Tests that a server's rights are enough, and that each of them is needed. */
export function describeRights<W>(
  server: string,
  rights: readonly Right[],
  expectationOf: (right: Right) => Expectation<W>,
  trial: (expectation: Expectation<W>, rights: readonly Right[]) => Promise<Trial<W>>,
): void {
  describe(`with all its rights ${server}`, () => {
    const all = new Map(rights.map(expectationOf).map((each) => [each.name, each]))
    test.each([...all])('%s', async (_, expectation) => holdsWithAll(await trial(expectation, rights)))
  })

  describe('is needed:', () => {
    test.each(rights.map((right) => [textOf(right), `${server} ${expectationOf(right).name}`, right] as const))(
      '%s: %s',
      async (_, __, right) => {
        const others = rights.filter((each) => each !== right)
        await failsWithout(right, await trial(expectationOf(right), others))
      },
    )
  })
}
