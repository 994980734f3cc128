/** Questions to the webhook's own server, over TLS, many on a connection. */
import jsonpatch from 'fast-json-patch'
import { KINDS } from '../../api/kinds.ts'
import type { KubeObject } from '../../api/meta.ts'
import { DOORS, type Door } from '../../webhook/answer.ts'
import type { AdmissionResponse } from '../../webhook/review.ts'
import type { Chance } from '../federation/random.ts'
import { cases } from '../webhook/cases.ts'
import { type Reply, type Running, review, run } from '../webhook/running.ts'
import { objectOf } from './by-schema.ts'
import { objects, podsOf } from './corpus.ts'
import { mutatedBytes, mutatedText, mutatedValue, odd } from './mutate.ts'
import type { Target } from './target.ts'

interface Question {
  readonly door: Door
  readonly body: string | Buffer
  readonly headers: Record<string, string>
}

const JSON_TYPE = { 'content-type': 'application/json' }
const TYPES = [
  'application/json; charset=utf-8',
  'application/yaml',
  'text/json',
  'application/json;charset=x',
  '',
] as const
const OPERATIONS = ['CREATE', 'CREATE', 'CREATE', 'UPDATE', 'DELETE', 'CONNECT'] as const
const OUR_KINDS = KINDS.map(({ kind }) => kind) as [string, ...string[]]
const KEYS = ['shop/web', 'shop/api', 'other/db'] as const

const kindOf = ({ apiVersion, kind }: KubeObject) => {
  const [version = '', group = ''] = apiVersion.split('/').reverse()
  return { group, version, kind }
}

export const admission = async (seed: number): Promise<Target<Question>> => {
  const running = await run(plainRequest())
  const pods = podsOf(seed)

  const subject = (chance: Chance): readonly [Door, KubeObject] => {
    const which = chance.next()
    if (which < 0.4) return ['inject', chance.pick(pods) as unknown as KubeObject]
    const door = chance.pick<Door>(['mutate', 'validate'])
    return which < 0.8
      ? [door, objectOf(chance.pick(OUR_KINDS), chance.pick(KEYS), chance)]
      : [chance.pick(DOORS), chance.pick(objects)]
  }
  const about = (kind: KubeObject, object: unknown, chance: Chance): object => {
    const operation = chance.pick(OPERATIONS)
    const old = operation === 'CREATE' ? null : object
    return review({
      kind: kindOf(kind),
      namespace: 'shop',
      object: operation === 'DELETE' ? null : object,
      oldObject: old,
      operation,
    })
  }

  return {
    name: 'admission',
    share: 26,
    make: (chance) => {
      const [door, good] = subject(chance)
      const object = mutatedValue(chance, good, chance.below(5))
      const how = chance.next()
      const asked = about(good, object, chance)
      const body = how < 0.02 ? odd(chance) : how < 0.15 ? mutatedValue(chance, asked, 1 + chance.below(3)) : asked
      const text = JSON.stringify(body) ?? ''
      return {
        door,
        body: how > 0.97 ? mutatedBytes(chance, text) : how > 0.93 ? mutatedText(chance, text) : text,
        headers: chance.next() < 0.01 ? { 'content-type': chance.pick(TYPES) } : JSON_TYPE,
      }
    },
    check: async ({ door, body, headers }) => {
      const reply = await running.post(`/${door}`, body, headers)
      running.forget()
      return replyProblem(reply, body)
    },
    close: running.stop,
  }
}

const plainRequest = () => {
  const plain = cases.find(({ name }) => name === 'plain')?.request
  if (plain === undefined) throw new Error('the golden folder has lost its plain case')
  return plain
}

/** A server for other targets to ask. */
export const openWebhook = (): Promise<Running> => run(plainRequest())

/** What an API server could not make sense of in a reply, or its user in what it says. */
const replyProblem = ({ status, text, headers }: Reply, body: string | Buffer): string | undefined => {
  if (status >= 500 || status < 200) return `status ${status}: ${text.slice(0, 300)}`
  if (text.length > 2 * body.length + 200_000) return `${text.length} characters answer ${body.length}`
  if (status !== 200) return text.trim().length > 5 && text.length < 5_000 ? undefined : `status ${status} says ${text}`
  if (!String(headers['content-type']).startsWith('application/json')) return `answers ${headers['content-type']}`
  const answer = JSON.parse(text) as { apiVersion: string; kind: string; response: AdmissionResponse }
  const asked = JSON.parse(String(body)) as { request: { uid: string; object: unknown } }
  if (answer.kind !== 'AdmissionReview' || answer.apiVersion !== 'admission.k8s.io/v1') return 'answers no review'
  return responseProblem(answer.response, asked.request)
}

const responseProblem = (
  { uid, allowed, status, warnings = [], patch, patchType }: AdmissionResponse,
  asked: { readonly uid: string; readonly object: unknown },
): string | undefined => {
  // What is no Unicode cannot be sent back as it was.
  if (uid !== asked.uid.toWellFormed()) return `answers ${uid} instead of ${asked.uid}`
  if (typeof allowed !== 'boolean') return 'neither allows nor denies'
  if (!allowed && !/\w+ .*\w+ .*([.]|- and \d+ more)$/s.test(status?.message ?? ''))
    return `denies with ${JSON.stringify(status)}`
  if (warnings.some((warning) => typeof warning !== 'string' || !/\w+ \w+/.test(warning)))
    return `warns with ${JSON.stringify(warnings)}`
  if ((patch === undefined) !== (patchType === undefined)) return 'a patch without its type, or the other way round'
  if (patch === undefined) return undefined
  if (!allowed) return 'patches what it denies'
  const operations = JSON.parse(Buffer.from(patch, 'base64').toString('utf8')) as jsonpatch.Operation[]
  jsonpatch.applyPatch(asked.object, operations, true)
  return undefined
}
