import { FIELD_MANAGER } from '../../api/names.ts'
import type { ConfigMap } from '../../api/resources.ts'

/** Writes one key of a ConfigMap, or removes it when nothing is left in it, unless somebody else has changed the object since. */
export const patchOf = ({ metadata: { resourceVersion = '' } }: ConfigMap, key: string, text: string) =>
  ({
    type: 'merge',
    body: { metadata: { resourceVersion }, data: { [key]: text === '' ? null : text } },
    manager: FIELD_MANAGER.cli,
  }) as const
