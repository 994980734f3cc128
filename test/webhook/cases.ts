import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import type { Namespace } from '../../api/core.ts'
import type { InjectRequest, Mesh, Pod } from '../../webhook/decision.ts'

export const GOLDEN = join(import.meta.dirname, '../golden/inject')

export const MESH: Mesh = {
  name: 'portolan',
  ownNamespace: 'portolan-system',
  config: {},
  configRef: { kind: 'MeshConfig', namespace: 'portolan-system', name: 'portolan-mesh-config' },
  proxyImage: 'envoyproxy/envoy:distroless-v1.40.0',
  initImage: 'portolan/portolan:0.1.0',
  imagePullPolicy: 'IfNotPresent',
  vipRange: '240.240.0.0/16',
  mtls: false,
  dns: { nameserver: '10.43.0.99', clusterDomain: 'cluster.local', extraSearches: [] },
}

export const SEED = '705ab4f5-6393-11e8-b7cc-42010a800002'

interface Given {
  readonly pod: Omit<Pod, 'apiVersion' | 'kind'>
  readonly namespace: Omit<Namespace, 'apiVersion' | 'kind'>
  readonly mesh?: Partial<Mesh>
}

/** Every `NAME.in.yaml` of the golden folder as a request. */
export const cases: readonly { readonly name: string; readonly request: InjectRequest }[] = readdirSync(GOLDEN)
  .filter((file) => file.endsWith('.in.yaml'))
  .map((file) => {
    const given = parse(readFileSync(join(GOLDEN, file), 'utf8')) as Given
    const request: InjectRequest = {
      pod: { apiVersion: 'v1', kind: 'Pod', ...given.pod },
      namespace: { apiVersion: 'v1', kind: 'Namespace', ...given.namespace },
      mesh: { ...MESH, ...given.mesh },
      seed: SEED,
    }
    return { name: file.slice(0, -'.in.yaml'.length), request }
  })
