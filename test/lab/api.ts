/** A cluster's API as its administrator sees it: just enough to bring a cluster up, without starting a kubectl for each look. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Agent, request } from 'undici'
import { parseAllDocuments, stringify } from 'yaml'
import type { ClusterPlan } from './plan.ts'

interface KubernetesObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string }
  readonly status?: {
    readonly conditions?: readonly { readonly type: string; readonly status: string }[]
    readonly readyReplicas?: number
  }
}

export interface AdminApi {
  /** True when the server says it is ready; false when it says no, or nothing. */
  isReady(): Promise<boolean>
  /** Server-side apply of every document. */
  apply(manifest: string): Promise<void>
  /** The object at an API path, or null when there is none. */
  get(path: string): Promise<KubernetesObject | null>
  close(): Promise<void>
}

/** Where an object lives. The plural is the kind with an s: true of the few kinds that the lab itself applies. */
function pathOf({ apiVersion, kind, metadata: { name, namespace } }: KubernetesObject): string {
  const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`
  const scope = namespace === undefined ? '' : `/namespaces/${namespace}`
  return `${root}${scope}/${kind.toLowerCase()}s/${name}`
}

export function connectAdmin(cluster: ClusterPlan): AdminApi {
  const pem = (name: string) => readFileSync(join(cluster.pki, name))
  const dispatcher = new Agent({
    connect: { ca: pem('ca.crt'), cert: pem('admin.crt'), key: pem('admin.key') },
    headersTimeout: 5000,
  })
  const call = async (method: 'GET' | 'PATCH', path: string, body?: string) => {
    const headers = body === undefined ? {} : { 'content-type': 'application/apply-patch+yaml' }
    const answer = await request(`${cluster.server}${path}`, { dispatcher, method, headers, body: body ?? null })
    return { status: answer.statusCode, text: await answer.body.text() }
  }
  return {
    isReady: async () => {
      try {
        const { status, text } = await call('GET', '/readyz')
        return status === 200 && text === 'ok'
      } catch {
        return false
      }
    },
    apply: async (manifest) => {
      for (const document of parseAllDocuments(manifest)) {
        const object = document.toJS() as KubernetesObject
        const path = pathOf(object)
        const { status, text } = await call('PATCH', `${path}?fieldManager=portolan-lab&force=true`, stringify(object))
        if (status >= 300) throw new Error(`${cluster.name}: ${path}: ${status} ${text}`)
      }
    },
    get: async (path) => {
      const { status, text } = await call('GET', path)
      if (status === 404) return null
      if (status >= 300) throw new Error(`${cluster.name}: ${path}: ${status} ${text}`)
      return JSON.parse(text) as KubernetesObject
    },
    close: () => dispatcher.destroy(),
  }
}

/** Whether a condition of the object's status is True. */
export function hasCondition(object: KubernetesObject | null, type: string): boolean {
  return object?.status?.conditions?.some((each) => each.type === type && each.status === 'True') ?? false
}
