/** What the webhook admits, compiled and given to Envoy: one object that it should have refused would cost a proxy the whole file. */
import { setTimeout as delay } from 'node:timers/promises'
import jsonpatch from 'fast-json-patch'
import type { KubeObject } from '../../api/meta.ts'
import { compile } from '../../compiler/compile.ts'
import { type Snapshot, snapshotOf } from '../../compiler/snapshot.ts'
import * as build from '../compiler/build.ts'
import type { Chance } from '../federation/random.ts'
import { review } from '../webhook/running.ts'
import { openWebhook } from './admission.ts'
import { type Ours, objectOf } from './by-schema.ts'
import { judge } from './envoy.ts'
import { mutatedValue } from './mutate.ts'
import type { Target } from './target.ts'

const NAMES = [
  'shop/web',
  'shop/api',
  'other/web',
  `other/${'x'.repeat(63)}`,
  `${'n'.repeat(63)}/${'y'.repeat(63)}`,
] as const
const KINDS = ['ServiceExport', 'ServiceImport', 'GlobalTrafficPolicy'] as const
const PROTOCOLS = [
  undefined,
  undefined,
  'http',
  'kubernetes.io/h2c',
  'tcp',
  'https',
  'grpc',
  'example.com/own',
] as const
const PORTS = [80, 8080, 5432, 9090] as const

/** Kubernetes' own objects: always such as an API server holds. */
export const surroundings = (chance: Chance): readonly KubeObject[] => [
  ...['shop', 'other', 'n'.repeat(63)].map((name) => build.namespace(name)),
  ...NAMES.flatMap((key) => {
    const ports = PORTS.filter(() => chance.next() < 0.7).map((port) => {
      const appProtocol = chance.pick(PROTOCOLS)
      return { name: `p-${port}`, port, ...(appProtocol === undefined ? {} : { appProtocol }) }
    })
    if (ports.length === 0 || chance.next() < 0.15) return []
    const clusterIP = chance.pick(['10.43.0.7', 'None', 'fd00:43::7'])
    const addresses = chance.pick([[], ['10.0.0.1'], ['10.0.0.1', '!10.0.0.2', '10.0.0.3'], ['fd00::1', 'fd00::2']])
    return [
      build.service(key, { clusterIP, ports, ...(chance.next() < 0.05 ? { type: 'ExternalName' } : {}) }),
      ...ports.map(({ name, port }) => ({
        ...build.pods(key, addresses, port + 1, { name }),
        metadata: {
          ...build.pods(key, [], 1).metadata,
          name: `${key.split('/')[1]}-${port}`,
        },
      })),
    ]
  }),
]

/** Objects of ours, most of them good. */
export const proposals = (chance: Chance): readonly Ours[] =>
  NAMES.flatMap((key) =>
    KINDS.filter(() => chance.next() < 0.7).map((kind) => {
      const object = objectOf(kind, key, chance)
      const created = `2026-01-01T00:00:0${chance.below(10)}Z`
      const spec = mutatedValue(chance, object.spec, chance.next() < 0.3 ? 1 : 0)
      return { ...object, metadata: { ...object.metadata, creationTimestamp: created }, spec }
    }),
  )

/** One cluster's objects of one moment. */
export interface Proposal {
  readonly surroundings: readonly KubeObject[]
  readonly proposals: readonly Ours[]
}

export const snapshotIn = (given: readonly KubeObject[]): Snapshot => snapshotOf(build.mesh, given)

export const worlds = async (): Promise<Target<Proposal>> => {
  const webhook = await openWebhook()
  const jury = judge<Proposal>()
  /** The object as it would be stored; nothing when it is refused. */
  const admitted = async (object: Ours): Promise<readonly Ours[]> => {
    const [group, version] = object.apiVersion.split('/')
    const { namespace, name } = object.metadata
    const kind = { group, version, kind: object.kind }
    const reply = await webhook.post('/mutate', JSON.stringify(review({ kind, namespace, name, object })))
    webhook.forget()
    const { allowed, patch = '' } = JSON.parse(reply.text).response
    if (!allowed) return []
    const operations = JSON.parse(Buffer.from(patch, 'base64').toString() || '[]')
    return [jsonpatch.applyPatch(JSON.parse(JSON.stringify(object)), operations).newDocument as Ours]
  }
  return {
    name: 'worlds',
    share: 0.3,
    make: (chance) => ({ surroundings: surroundings(chance), proposals: proposals(chance) }),
    check: async ({ surroundings, proposals }) => {
      const stored = (await Promise.all(proposals.map(admitted))).flat()
      jury.add(compile(snapshotIn([...surroundings, ...stored])), { surroundings, proposals: stored })
      await delay(0)
      return undefined
    },
    settle: jury.settle,
    close: webhook.stop,
  }
}
