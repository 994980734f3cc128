import type { Door } from '../../api/service-import.ts'

const WORDS: Readonly<Record<Door, string>> = {
  ServiceExport: 'ServiceExport',
  MCS: 'ServiceExport.multicluster.x-k8s.io',
  GlobalService: 'annotation service.cilium.io/global',
}

/** What offers a service, as kubectl and the manifests call it. */
export const doorText = (door: Door): string => WORDS[door]

/** Whether there is more to be said of the doors than that a ServiceExport is the one. */
export const isUncommon = (doors: readonly Door[]): boolean => doors.some((door) => door !== 'ServiceExport')
