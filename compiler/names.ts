import { CLUSTERSET_DOMAIN } from '../api/names.ts'
import type { NamedImport } from './dns.ts'
import { by } from './order.ts'
import type { ImportName } from './tables.ts'

/** What a sidecar that is asked by name has to know of imports: what mesh DNS says to those that are captured. */
export const importNames = (imports: readonly NamedImport[]): readonly ImportName[] =>
  imports
    .map(
      ({ namespace, name, vip, routed, localService }): ImportName => ({
        service: `${namespace}/${name}`,
        ...(vip === undefined ? {} : { vip }),
        plain: routed && vip !== undefined ? 'routed' : localService ? 'local' : 'refused',
      }),
    )
    .toSorted(by((each) => each.service))

/** The suffix of names that are answered for the whole clusterset. */
export const ACROSS = `.svc.${CLUSTERSET_DOMAIN}`

/** Of host names (RFC 1123), in lower case. */
export const isDnsLabel = (text: string): boolean => /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(text)
