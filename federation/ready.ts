import type { Code } from '../api/diagnostics.ts'
import type { Issue } from '../api/issue.ts'
import { verdict } from '../compiler/conditions.ts'
import type { ObjectStatus } from '../compiler/tables.ts'

type Verdict = Omit<ObjectStatus['conditions'][number], 'observedGeneration'>

/**
 * `Ready` of the standard's export, out of what the hub says in `Exported` of ours: whether callers elsewhere can have it,
 * which one cluster that cannot be reached does not change.
 * @param exported of code Exported, Exporting, NoImporter, NotExported, Outvoted or ImportFull
 */
export const readyVerdict = (object: Issue['object'], exported: Issue<Code>): Verdict => {
  const told: Issue<Code> = { ...exported, object }
  const { code, params = {} } = exported
  if (code === 'Exporting' && params['count'] === 0) return verdict('Ready', 'False', [{ ...told, code: 'Pending' }])
  if (code === 'Exported' || code === 'Exporting' || code === 'NoImporter')
    return { ...verdict('Ready', 'True', [told]), reason: 'Exported' satisfies Code }
  return verdict('Ready', 'False', [{ code: 'Failed', object, path: '' }, told])
}
