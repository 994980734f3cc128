import type { Code } from '../api/diagnostics.ts'
import type { Issue } from '../api/issue.ts'
import { nonEmpty, referenceOf, statusOf, verdict } from './conditions.ts'
import { isOffered, type Offer } from './offers.ts'
import type { ObjectStatus } from './tables.ts'

/** What we call otherwise than the standard does. */
const IN_STANDARD: Partial<Record<Code, Code>> = {
  ExportWithoutService: 'NoService',
  ExportOfExternalName: 'InvalidServiceType',
}

/**
 * `Valid` of the standard's export, with the standard's reasons where it has one; undefined when the service is not offered
 * by one. Ports that no gateway can serve are part of it all the same: its slices of endpoints have them.
 */
export const standardStatus = (offer: Offer): ObjectStatus | undefined => {
  const { object, service, rules, tcp, others, faults, remarks } = offer
  const { standard } = object
  if (standard === undefined) return undefined
  const reference = referenceOf(standard)
  const needless = service && isOffered(service, others) ? 'NothingToServe' : undefined
  const wrong = nonEmpty(
    faults
      .filter(({ code }) => code !== needless)
      .map((issue) => ({ ...issue, code: IN_STANDARD[issue.code] ?? issue.code })),
  )
  if (wrong) return statusOf(standard, [verdict('Valid', 'False', [...wrong, ...remarks])])
  const paths = [...rules.map(({ path }) => path), ...tcp.map(({ port }) => `${port}/TCP`)].join(', ')
  const of = (code: Code, params: Issue['params'] = {}): Issue<Code> => ({ code, object: reference, path: '', params })
  if (paths === '')
    return statusOf(standard, [
      { ...verdict('Valid', 'True', [of('NoGatewayNeeded')]), reason: 'Valid' satisfies Code },
    ])
  const headless = service?.spec.clusterIP === 'None' ? [of('PodAddressesOnly')] : []
  return statusOf(standard, [verdict('Valid', 'True', [of('Valid', { paths }), ...remarks, ...headless])])
}
