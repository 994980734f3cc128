/** A trust domain for tests: its root, and leaves for whatever id, also such as it would never issue. */
import { bundleMapText, issueIdentity, issueRoot, type KeyPair, spiffeBundle } from '../../certs/spiffe.ts'

const HOUR = 3_600_000

export interface Authority {
  readonly trustDomain: string
  readonly root: KeyPair
  readonly issue: (id: string) => Promise<KeyPair>
}

export const startAuthority = async (trustDomain: string): Promise<Authority> => {
  const root = await issueRoot({ commonName: trustDomain, now: Date.now(), lifeMs: 24 * HOUR })
  return { trustDomain, root, issue: (id) => issueIdentity({ root, id, now: Date.now(), lifeMs: HOUR }) }
}

/** The roots of some trust domains, as proxies read them. */
export const bundleMap = (...authorities: readonly Pick<Authority, 'trustDomain' | 'root'>[]): string =>
  bundleMapText(
    Object.fromEntries(authorities.map(({ trustDomain, root }) => [trustDomain, spiffeBundle([root.cert], 1)])),
  )
