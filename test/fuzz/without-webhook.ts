/** What a real API server stores when the webhook is down: schema and CEL are all that stands between it and Envoy. */
import { Agent, request } from 'undici'
import { kindOf } from '../../api/kinds.ts'
import { compile } from '../../compiler/compile.ts'
import { type ApiServer, startApiServer } from '../kube/apiserver.ts'
import { CRDS } from '../kube/crds.ts'
import type { Ours } from './by-schema.ts'
import { judge } from './envoy.ts'
import type { Target } from './target.ts'
import { type Proposal, proposals, snapshotIn, surroundings } from './worlds.ts'

interface Store {
  readonly api: ApiServer
  readonly agent: Agent
}

const open = async (): Promise<Store> => {
  const api = await startApiServer()
  const kubectl = async (...args: readonly string[]): Promise<void> => {
    const { code, stderr } = await api.kubectl(args)
    if (code !== 0) throw new Error(stderr)
  }
  await kubectl('apply', ...CRDS)
  await kubectl('wait', '--for=condition=Established', 'crd', '--all', '--timeout=120s')
  for (const namespace of ['shop', 'other', 'n'.repeat(63)]) await kubectl('create', 'namespace', namespace)
  const { tls } = await api.connection.credentials()
  return { api, agent: new Agent({ connect: { ...tls, timeout: 60_000 }, connections: 16 }) }
}

/** As it would be stored; nothing when it is refused. Nothing is stored. */
const stored = async ({ api, agent }: Store, object: Ours): Promise<readonly Ours[]> => {
  const { headers } = await api.connection.credentials()
  const { apiVersion, metadata } = object
  const collection = `${api.server}/apis/${apiVersion}/namespaces/${metadata.namespace}/${kindOf(object)?.plural}`
  const { statusCode, body } = await request(`${collection}?dryRun=All`, {
    dispatcher: agent,
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify(object),
  })
  const answer = await body.text()
  if (statusCode !== 201) return []
  return [{ ...(JSON.parse(answer) as Ours), metadata }]
}

export const withoutWebhook = (): Target<Proposal> => {
  const jury = judge<Proposal>()
  let opened: Promise<Store> | undefined
  return {
    name: 'withoutWebhook',
    share: 0.05,
    make: (chance) => ({ surroundings: surroundings(chance), proposals: proposals(chance) }),
    check: async ({ surroundings, proposals }) => {
      opened ??= open()
      const store = await opened
      const objects = (await Promise.all(proposals.map((each) => stored(store, each)))).flat()
      jury.add(compile(snapshotIn([...surroundings, ...objects])), { surroundings, proposals: objects })
      return undefined
    },
    settle: jury.settle,
    close: async () => {
      const store = await opened
      await store?.agent.close()
      await store?.api.stop()
    },
  }
}
