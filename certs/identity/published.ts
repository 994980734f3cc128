import { X509Certificate } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { BUNDLE_KEY, TRUST_DOMAIN_KEY } from '../../api/identity.ts'
import type { ConfigMap } from '../../api/resources.ts'
import { type Bundle, bundleDocument, type Root, readBundle, rootOfCertificate } from '../../api/trust-bundle.ts'
import type { StoredRoot } from './root-secret.ts'
import { PHASES, type Phase, type Told } from './roots.ts'

/** Key of the ConfigMap portolan-identity: how far each root has come, for `portolan ca` and for people. */
export const ROOTS_KEY = 'roots.json'
/** Key of the same: name of the Secret that the roots come from, when Portolan does not make them. */
export const SOURCE_KEY = 'source'
/** Annotation on it: the fingerprint of the root that is to have a successor. */
export const ROLL_ANNOTATION = 'flomesh.io/roll-after'
/** Annotation on it: the fingerprint of a root that need not wait for members that lack it. */
export const FORCE_ANNOTATION = 'flomesh.io/roll-force'

/** A root as the ConfigMap tells of it. Times RFC 3339. */
export interface PublishedRoot {
  readonly id: string
  readonly phase: Phase
  readonly since: string
  readonly notBefore: string
  readonly notAfter: string
  /** clusterKeys of the members that do not hold it yet; only of the root that is to sign next. */
  readonly waitingFor?: readonly string[]
  /** When it signs at the earliest; only of the root that is to sign next. */
  readonly signsFrom?: string
}

const bundleIn = (there: Pick<ConfigMap, 'data'> | undefined): Bundle | undefined => {
  const read = readBundle(there?.data?.[BUNDLE_KEY] ?? '')
  return read.ok ? read.bundle : undefined
}

/** The roots that others read now. */
export const publishedRoots = (there: Pick<ConfigMap, 'data'> | undefined): readonly Root[] =>
  bundleIn(there)?.roots ?? []

/** How far each root had come when it was last published; nothing of what cannot be read. */
export const toldPhases = (there: Pick<ConfigMap, 'data'> | undefined): ReadonlyMap<string, Told> =>
  new Map(
    readRootList(there).flatMap(({ id, phase, since }) => {
      const at = Date.parse(since)
      return Number.isNaN(at) ? [] : [[id, { phase, since: at }] as const]
    }),
  )

/** The roots as the ConfigMap tells of them; none when it cannot be read. */
export const readRootList = (there: Pick<ConfigMap, 'data'> | undefined): readonly PublishedRoot[] => {
  try {
    const list: unknown = JSON.parse(there?.data?.[ROOTS_KEY] ?? '[]')
    return Array.isArray(list) ? list.filter(isPublishedRoot) : []
  } catch {
    return []
  }
}

const isPublishedRoot = (value: unknown): value is PublishedRoot => {
  const { id, phase, since, notAfter } = (value ?? {}) as Partial<PublishedRoot>
  return [id, since, notAfter].every((text) => typeof text === 'string') && PHASES.some((each) => each === phase)
}

const time = (ms: number): string => new Date(ms).toISOString()

/** `data` of the ConfigMap: the same bytes for the same roots. The number of a bundle grows with every change of it. */
export const publication = (
  trustDomain: string,
  roots: readonly StoredRoot[],
  told: (root: StoredRoot) => Pick<PublishedRoot, 'waitingFor' | 'signsFrom'>,
  there: Pick<ConfigMap, 'data'> | undefined,
  source?: string,
): Readonly<Record<string, string>> => {
  const before = bundleIn(there)
  const certificates = roots.map(({ cert }) => rootOfCertificate(new X509Certificate(cert)))
  const ids = (list: readonly Root[]) => list.map(({ fingerprint }) => fingerprint).toSorted()
  const isSame = isDeepStrictEqual(ids(before?.roots ?? []), ids(certificates))
  const sequence = (before?.sequence ?? 0) + (isSame ? 0 : 1)
  const list = roots.map((root): PublishedRoot => {
    const { id, phase, since, bornAt, notAfter } = root
    return { id, phase, since: time(since), notBefore: time(bornAt), notAfter: time(notAfter), ...told(root) }
  })
  return {
    [TRUST_DOMAIN_KEY]: trustDomain,
    [BUNDLE_KEY]: JSON.stringify(bundleDocument({ sequence, roots: certificates })),
    [ROOTS_KEY]: JSON.stringify(list),
    ...(source === undefined ? {} : { [SOURCE_KEY]: source }),
  }
}
