import type { Service } from '../api/core.ts'
import { globalService } from '../api/global-service.ts'
import type { ObjectRef } from '../api/issue.ts'
import type { McsExport } from '../api/mcs.ts'
import type { ServiceExport } from '../api/service-export.ts'
import { DOORS, type Door } from '../api/service-import.ts'
import { referenceOf } from './conditions.ts'
import { byKey, createdAt } from './keys.ts'
import { LastAnswers } from './memo.ts'
import { by } from './order.ts'

/** What one cluster says of the services that it offers, in all the ways there are to say it. */
export interface Doors {
  readonly exports: readonly ServiceExport[]
  readonly mcsExports?: readonly McsExport[]
  readonly services: readonly Service[]
  /** Whether Services are offered by annotation. */
  readonly globalServices?: boolean
}

/**
 * A service that a cluster offers, through one door or several: a ServiceExport of ours, whoever wrote it. It is as old as
 * the oldest of what offers it; its uid, generation and status are the ServiceExport's, else the standard's, else the
 * Service's, which has no status of the kind.
 */
export interface DeclaredExport extends ServiceExport {
  /** In the order of {@link DOORS}; at least one. */
  readonly doors: readonly Door[]
  /** Which of them gives it its age. */
  readonly eldest: Door
  /** Present when MCS is one of them. */
  readonly standard?: McsExport
}

/** What a user wrote to offer the service: of several objects, that of the first door. */
export const exportReference = (object: DeclaredExport): ObjectRef => {
  const reference = referenceOf(object)
  return object.doors[0] === 'GlobalService' ? { ...reference, kind: 'Service' } : reference
}

/** All that a cluster offers, each service once, in no order. What is made of the same objects is the very same value. */
export const declaredExports = ({
  exports,
  mcsExports = [],
  services,
  globalServices,
}: Doors): readonly DeclaredExport[] => {
  const ours = byKey(exports)
  const standards = byKey(mcsExports)
  const shared = byKey(globalServices ? services.filter(isShared) : [])
  const keys = new Set([...ours.keys(), ...standards.keys(), ...shared.keys()])
  return [...keys].map((key) => {
    const through = [ours.get(key), standards.get(key), shared.get(key)] as const
    const first = through.find((object) => object !== undefined) as ServiceExport
    return answers.get(first, through, () => declare(...through))
  })
}

const answers = new LastAnswers<object, DeclaredExport>()

const isShared = (service: Service): boolean => {
  const said = globalService(service)
  return said?.global === true && said.shared
}

type Through = readonly [ServiceExport | undefined, McsExport | undefined, Service | undefined]

const declare = (...through: Through): DeclaredExport => {
  const all = through.flatMap((object, index) => (object ? [{ object, door: DOORS[index] as Door }] : []))
  // What is being deleted is gone already, unless it is all there is.
  const staying = all.filter(({ object }) => object.metadata.deletionTimestamp === undefined)
  const open = staying.length > 0 ? staying : all
  const { object: first } = open[0] as (typeof all)[number]
  const doors = open.map(({ door }) => door)
  const [eldest = open[0] as (typeof all)[number]] = open.toSorted(by(({ object }) => createdAt(object)))
  const { creationTimestamp } = eldest.object.metadata
  const status = first.kind === 'Service' ? undefined : first.status
  const [ours, standard] = through
  return {
    apiVersion: first.apiVersion,
    kind: 'ServiceExport',
    metadata: { ...first.metadata, ...(creationTimestamp === undefined ? {} : { creationTimestamp }) },
    spec: ours && doors.includes('ServiceExport') ? ours.spec : {},
    doors,
    eldest: eldest.door,
    ...(standard && doors.includes('MCS') ? { standard } : {}),
    ...(status === undefined ? {} : { status }),
  }
}
