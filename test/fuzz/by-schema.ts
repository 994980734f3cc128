/** Objects of our kinds as their own schemas describe them: most of what comes out is valid, so that it gets far. */
import { KINDS } from '../../api/kinds.ts'
import type { KubeObject } from '../../api/meta.ts'
import { VERSION } from '../../api/names.ts'
import type { Schema } from '../../api/structural.ts'
import type { Chance } from '../federation/random.ts'
import { expression, replacement } from './expressions.ts'
import { mutatedText } from './mutate.ts'

type Words = readonly [string, ...string[]]

const KEYS: Words = ['default/default/default/west', 'default/default/default/east', 'eu/z1/g-1/north', 'a/b/c/d.e']
const PATHS: Words = [
  '/',
  '/a',
  '/a/b',
  '/shop/web/80',
  "/~x/!$&'()+,;=:@",
  '/a.b/c',
  '/.a',
  '/a-',
  `/${'long/'.repeat(40)}x`,
]
const HOSTS: Words = ['192.0.2.1', '10.0.0.1', 'gw.example', '_gw._x.example.', '2001:db8::1', 'a.b']

/** Texts by the name of the field that they stand in: what a schema cannot say. */
const WORDS: Readonly<Record<string, Words>> = {
  clusterKey: KEYS,
  targetClusters: KEYS,
  path: PATHS,
  host: HOSTS,
  gatewayHost: HOSTS,
  ip: ['192.0.2.1', '2001:db8::1', '10.1.2.3'],
  ips: ['240.240.0.1', '240.240.0.2', '240.240.255.254', 'fd00::1'],
  serviceAccountName: ['*', 'web', 'a.b-c'],
  appProtocol: ['http', 'kubernetes.io/h2c', 'tcp', 'grpc', 'example.com/own', 'kubernetes.io/ws'],
  outboundIPRangeExclusionList: ['10.0.0.0/8', '192.0.2.0/24', '2001:db8::/32', '0.0.0.0/0'],
  name: ['http', 'web', 'p-80', 'x'],
  clusters: ['*', 'west', 'e*', 'eu/z1/g-1/north'],
  namespaces: ['*', 'shop', 'o*r'],
  serviceAccounts: ['*', 'web', '*-x'],
  cpu: ['10m', '1', '0.5'],
  memory: ['64Mi', '1Gi'],
}

const textOf = (field: string, schema: Schema, chance: Chance): string => {
  if (field === 'from') return expression(chance)
  if (field === 'to') return replacement(chance)
  const words = WORDS[field]
  if (words === undefined) return chance.pick(['', 'x', 'web', 'a'.repeat(Math.min(schema.maxLength ?? 10, 300))])
  const word = chance.pick(words)
  return chance.next() < 0.03 ? mutatedText(chance, word) : word
}

const numberOf = ({ minimum = 0, maximum = 2 ** 31 - 1 }: Schema, field: string, chance: Chance): number => {
  if (/port/i.test(field) && chance.next() < 0.9) return chance.pick([80, 8080, 5432, 9090])
  return chance.pick([
    minimum,
    maximum,
    minimum + 1,
    Math.min(maximum, 100),
    minimum + chance.below(maximum - minimum + 1),
  ])
}

const FEW = [0, 1, 1, 2, 2, 3, 5] as const

/** A value that a schema takes, with what it may leave out left out half of the time. */
export const madeOf = (schema: Schema, chance: Chance, field = ''): unknown => {
  if (schema.enum !== undefined) return chance.pick(schema.enum as readonly [unknown, ...unknown[]])
  const type = Array.isArray(schema.type) ? chance.pick(schema.type as unknown as Words) : schema.type
  switch (type) {
    case 'string':
      return textOf(field, schema, chance)
    case 'integer':
    case 'number':
      return numberOf(schema, field, chance)
    case 'boolean':
      return chance.next() < 0.5
    case 'array': {
      const { items = {} } = schema
      const most = Math.min(schema.maxItems ?? 5, chance.next() < 0.01 ? 70 : chance.pick(FEW))
      const all = Array.from({ length: most }, () => madeOf(items, chance, field))
      // Lists of ours are sets or maps; what is in one twice is refused and gets no further.
      return chance.next() < 0.05 ? all : [...new Map(all.map((each) => [identityOf(each, schema), each])).values()]
    }
    default:
      return Object.fromEntries(
        Object.entries(schema.properties ?? {})
          .filter(([name]) => schema.required?.includes(name) || chance.next() < 0.5)
          .map(([name, each]) => [name, madeOf(each, chance, name)]),
      )
  }
}

const identityOf = (each: unknown, schema: Schema): string => {
  const keys = schema['x-kubernetes-list-map-keys'] as readonly string[] | undefined
  const fields = (each ?? {}) as Readonly<Record<string, unknown>>
  return JSON.stringify(keys === undefined ? each : keys.map((key) => fields[key]))
}

const SPECS: Readonly<Record<string, Schema>> = Object.fromEntries(
  KINDS.map((kind) => [kind.kind, kind.spec as Schema]),
)

export type Ours = KubeObject & { readonly spec: unknown }

/** An object of one of our kinds, as its author would apply it. */
export const objectOf = (kind: string, key: string, chance: Chance): Ours => {
  const known = KINDS.find((each) => each.kind === kind)
  if (known === undefined) throw new Error(`${kind} is not ours`)
  const [namespace = '', name = ''] = key.split('/')
  return {
    apiVersion: `${known.group}/${VERSION}`,
    kind,
    metadata: { name, ...(known.scope === 'Cluster' ? {} : { namespace }) },
    spec: madeOf(SPECS[kind] ?? {}, chance),
  }
}
