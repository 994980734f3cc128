/**
 * Asks a cluster's webhook all the time, in two ways: through the API server, by dry runs of an apply that needs its word,
 * and at its Service, trusting just what the configuration says at that moment, with a handshake for each question.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { GLOBAL_TRAFFIC_POLICIES } from '../../api/resources.ts'
import { VALIDATING } from '../../certs/publish.ts'
import type { KubeClient } from '../../kube/client.ts'
import { must } from '../../kube/failure.ts'
import { type Answered, postAnew } from '../certs/handshake.ts'
import { documents, policy } from './manifests.ts'
import { CONTROL_PLANE } from './mesh.ts'
import { apply, get, kubectl, type Site } from './site.ts'

/** So that this machine reaches the webhook's pods as API servers do: by a Service. */
const DOOR = 'webhook-at-the-node'

export interface AdmissionLoad {
  /** What the webhook showed in the latest handshake; another object for each. */
  readonly leaf: () => Answered['leaf'] | undefined
  /** How many dry runs have ended, well or not. */
  readonly applied: () => number
  /** PEM of the roots that API servers trust now. */
  readonly bundle: () => Promise<string>
  /** From now on failures count; those until now do not. */
  readonly count: () => void
  /** Resolves with the failures when the last answer is in. */
  readonly stop: () => Promise<readonly string[]>
}

/** The certificates of a bundle, PEM. */
export const rootsIn = (bundle: string): readonly string[] =>
  bundle.split(/(?=-----BEGIN)/).filter((each) => each !== '')

/** @param namespace of the policy that nobody ever stores */
export async function loadAdmission(site: Site, client: KubeClient, namespace: string): Promise<AdmissionLoad> {
  const { spec } = await get(site, '-n', CONTROL_PLANE, 'service', 'portolan-webhook')
  const metadata = { name: DOOR, namespace: CONTROL_PLANE }
  const door = { type: 'NodePort', selector: spec.selector, ports: spec.ports }
  await apply(site, documents({ apiVersion: 'v1', kind: 'Service', metadata, spec: door }))
  const port: number = (await get(site, '-n', CONTROL_PLANE, 'service', DOOR)).spec.ports[0].nodePort

  const object = policy(namespace, 'asked', 'FailOver', [{ clusterKey: 'default/default/default/west' }])
  const kind = { group: 'flomesh.io', version: 'v1alpha1', kind: 'GlobalTrafficPolicy' }
  const question = { uid: 'asked', kind, operation: 'CREATE', name: 'asked', namespace, object }
  const body = { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request: question }
  const servername = `portolan-webhook.${CONTROL_PLANE}.svc`

  const bundle = async (): Promise<string> => {
    const { webhooks = [] } = must(await client.get(VALIDATING, { name: 'portolan' }))
    const bundles = new Set(webhooks.map(({ clientConfig }) => clientConfig?.caBundle ?? ''))
    if (bundles.size !== 1) throw new Error(`the webhooks of one configuration trust ${bundles.size} sets of roots`)
    return Buffer.from([...bundles].join(), 'base64').toString()
  }

  let leaf: Answered['leaf'] | undefined
  const ask = async (): Promise<void> => {
    const ca = await bundle()
    const started = Date.now()
    const roots = () => `${rootsIn(ca).length} roots trusted ${Date.now() - started} ms ago`
    const answer = await postAnew({ host: site.address, port, path: '/validate', servername, ca, body }).catch(
      (cause: Error) => {
        throw new Error(`${cause.message}; ${roots()}`, { cause })
      },
    )
    leaf = answer.leaf
    if (answer.status !== 200 || JSON.parse(answer.text).response?.allowed !== true)
      throw new Error(`${answer.status} ${answer.text.slice(0, 200)}`)
  }
  const dryRun = async (): Promise<void> => {
    const { apiVersion: _, kind: __, ...fields } = object
    must(await client.apply(GLOBAL_TRAFFIC_POLICIES, fields as never, { manager: 'admission-load', dryRun: true }))
  }

  let stopped = false
  let failures: string[] = []
  const began = Date.now()
  const again = async (name: string, work: () => Promise<void>, pauseMs: number): Promise<void> => {
    while (!stopped) {
      await work().catch((error: Error) => failures.push(`${name} after ${Date.now() - began} ms: ${error.message}`))
      await delay(pauseMs)
    }
  }
  let applied = 0
  const counted = () => dryRun().finally(() => applied++)
  const loops = [again('handshake', ask, 20), again('handshake', ask, 20), again('apply', counted, 50)]
  return {
    leaf: () => leaf,
    applied: () => applied,
    bundle,
    count: () => {
      failures = []
    },
    stop: async () => {
      stopped = true
      await Promise.all(loops)
      await kubectl(site, '-n', CONTROL_PLANE, 'delete', 'service', DOOR)
      return failures
    },
  }
}
