import type { Service } from '../api/core.ts'
import { familyOf } from '../api/vip-range.ts'

/**
 * Whether proxies have to listen on IPv6 too: imports are called at it, or some Service is, and then pods have addresses
 * of it, which kubelets, metrics and other clusters may use. Not always, as a kernel may lack the family.
 */
export const hasIpv6 = (vipRange: string, services: readonly Service[]): boolean =>
  familyOf(vipRange) === 6 || services.some(({ spec }) => spec.ipFamilies?.includes('IPv6') === true)
