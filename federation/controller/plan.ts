import type { Code } from '../../api/diagnostics.ts'
import type { Issue } from '../../api/issue.ts'
import type { McsExport } from '../../api/mcs.ts'
import { MCS_GROUP } from '../../api/names.ts'
import type { ServiceExport } from '../../api/service-export.ts'
import type { ServiceImport } from '../../api/service-import.ts'
import { keyOf } from '../../compiler/keys.ts'
import { perObject } from '../../compiler/memo.ts'
import type { ObjectStatus } from '../../compiler/tables.ts'
import type { WantedSlice } from '../slices.ts'
import type { Accepted, Action, Plan } from './action.ts'
import { type Attention, createAttention, type Matter } from './attention.ts'
import type { Desired } from './desired.ts'
import type { Observed, ObservedImport } from './observed.ts'
import type { ObservedCopy } from './observed-slices.ts'
import { isForeign, planImport } from './plan-imports.ts'
import { planIdentity, planTrust } from './plan-member.ts'
import { planSlice } from './plan-slices.ts'
import { planStatus } from './plan-statuses.ts'

/**
 * The writes that take a member from `observed` to `desired`, and no others.
 * @param now for lastTransitionTime, RFC 3339
 */
type Planning = (desired: Desired, observed: Observed, accepted: Accepted, now: string) => Plan

export const plan: Planning = (desired, observed, accepted, now) => createPlanner()(desired, observed, accepted, now)

/**
 * The same for one member again and again: what was found to be as wanted is not looked at until it changes. What was
 * accepted of a thing may only change by a write that was planned.
 */
export function createPlanner(): Planning {
  const imports = createAttention<ServiceImport, ObservedImport>(keyOf)
  const slices = createAttention<WantedSlice, ObservedCopy>(({ namespace, name }) => `${namespace}/${name}`)
  const ours = createAttention<ObjectStatus, ServiceExport>(exportOf)
  const standard = createAttention<ObjectStatus, McsExport>(exportOf)

  return (desired, observed, accepted, now) => {
    const { unheard, createNamespaces } = desired
    const silent = [...unheard].toSorted().join()
    const aboutImports = imports.matters(desired.imports, observed.imports, silent)
    const ofImports = actionsOn(
      aboutImports,
      (matter) => planImport(matter, unheard, accepted),
      (matter) => isForeign(matter) || imports.settle(matter.key),
    )
    const homeless = homelessAmong(ofImports, observed.namespaces)
    const made = createNamespaces ? homeless : []
    const isOpen = (namespace: string): boolean => {
      const there = observed.namespaces.get(namespace)
      return there === undefined ? made.includes(namespace) : there.metadata.deletionTimestamp === undefined
    }
    const ofSlices =
      observed.copies === undefined
        ? []
        : actionsOn(
            slices.matters(desired.slices, observed.copies, silent),
            (matter) => planSlice(matter, unheard, accepted),
            ({ key }) => slices.settle(key),
          )

    const hasLeft = desired.clusterKey === undefined
    function ofStatuses<T extends ServiceExport | McsExport>(
      attention: Attention<ObjectStatus, T>,
      wanted: readonly ObjectStatus[],
      there: ReadonlyMap<string, T>,
    ): readonly Action[] {
      return actionsOn(
        attention.matters(wanted, there, String(hasLeft)),
        (matter) => planStatus(matter, hasLeft, now),
        ({ key }) => attention.settle(key),
      )
    }
    const said = byGroup(desired.statuses)
    const trust = planTrust(desired, observed)
    return {
      actions: [
        ...planIdentity(desired, observed),
        ...(desired.trust === undefined ? [] : trust),
        ...made.map((name): Action => ({ do: 'createNamespace', name })),
        ...ofImports.filter((action) => action.do === 'applyImport' && isOpen(action.import.namespace)),
        ...ofSlices.filter((action) => action.do === 'applySlice' && isOpen(action.slice.namespace)),
        ...ofSlices.filter((action) => action.do === 'removeSlice'),
        ...ofImports.filter((action) => action.do === 'removeImport'),
        ...(desired.trust === undefined ? trust : []),
        ...ofStatuses(ours, said.ours, observed.exports),
        ...(observed.mcsExports === undefined ? [] : ofStatuses(standard, said.standard, observed.mcsExports)),
      ],
      issues: [
        ...aboutImports.filter(isForeign).map(({ key }) => issueOf('ImportNotOurs', 'ServiceImport', key)),
        ...(createNamespaces ? [] : homeless).map((namespace) => ({
          ...issueOf('NamespaceMissing', 'Namespace', namespace),
          params: { namespace, services: servicesOf(namespace, desired.imports) },
        })),
      ],
    }
  }
}

/** @param settle takes note of what needs no action */
function actionsOn<Wanted, There>(
  matters: readonly Matter<Wanted, There>[],
  decide: (matter: Matter<Wanted, There>) => Action | undefined,
  settle: (matter: Matter<Wanted, There>) => void,
): readonly Action[] {
  return matters.flatMap((matter) => {
    const action = decide(matter)
    if (action === undefined) settle(matter)
    return action ?? []
  })
}

const exportOf = ({ object }: ObjectStatus): string => `${object.namespace}/${object.name}`

const byGroup = perObject((statuses: Desired['statuses']) => ({
  ours: statuses.filter(({ object }) => object.group === undefined),
  standard: statuses.filter(({ object }) => object.group === MCS_GROUP),
}))

/** Namespaces that imports to be written need and that are not there, sorted. */
const homelessAmong = (actions: readonly Action[], there: Observed['namespaces']): readonly string[] => [
  ...new Set(
    actions
      .flatMap((action) => (action.do === 'applyImport' ? (action.import.wanted ?? []) : []))
      .filter(bringsItsNamespace)
      .map(({ metadata }) => metadata.namespace ?? 'default')
      .filter((name) => !there.has(name))
      .toSorted(),
  ),
]

/** The standard has a service in the namespaces of its name, and makes none; only our own exports do. */
const bringsItsNamespace = ({ spec: { doors } }: ServiceImport): boolean =>
  doors === undefined || doors.includes('ServiceExport')

const servicesOf = (namespace: string, imports: Desired['imports']): string =>
  imports
    .map(keyOf)
    .filter((key) => key.startsWith(`${namespace}/`))
    .join(', ')

function issueOf(code: Code, kind: string, key: string): Issue<Code> {
  const [first = '', name] = key.split('/')
  return { code, object: name === undefined ? { kind, name: first } : { kind, namespace: first, name }, path: '' }
}
