/** Envoy's opinion of many tables at a time, and of which of them it has one. */
import { gatewayFiles, sidecarFiles } from '../../compiler/files.ts'
import type { Tables } from '../../compiler/tables.ts'
import { complaints, gatewayAsStatic, merged, sidecarAsStatic } from '../envoy/strictly.ts'
import type { Finding } from './target.ts'

type Config = ReturnType<typeof sidecarAsStatic>

interface Case<Input> {
  readonly configs: readonly Config[]
  readonly input: Input
}

/** Once there are as many, a run of Envoy is worth its start. */
const BATCH = 150

export interface Jury<Input> {
  readonly add: (tables: Tables, input: Input) => void
  /** What Envoy refused of all that was added. @param all also when there are few */
  readonly settle: (all?: boolean) => Promise<readonly Finding[]>
}

export const configsOf = (tables: Tables): readonly Config[] => {
  const place = { namespace: 'portolan-system', clusterKey: tables.cluster.key }
  const sidecars = tables.sidecars.map((table) => sidecarFiles(table, tables.cluster.key))
  const gateway = gatewayFiles(tables.gateway, undefined, place)
  return [
    // What is refused for its size is never written.
    ...sidecars.flatMap(({ files, refusal }) => (refusal ? [] : [sidecarAsStatic(files['cds.json'] ?? '')])),
    ...(gateway.refusal ? [] : [gatewayAsStatic(gateway.files['cds.json'] ?? '', gateway.files['rds.json'] ?? '')]),
  ]
}

export const judge = <Input>(): Jury<Input> => {
  let waiting: Case<Input>[] = []
  return {
    add: (tables, input) => {
      waiting.push({ configs: configsOf(tables), input })
    },
    settle: async (all = true) => {
      if (!all && waiting.length < BATCH) return []
      const cases = waiting
      waiting = []
      const findings: Finding[] = []
      for (let start = 0; start < cases.length; start += BATCH) {
        findings.push(...(await refused(cases.slice(start, start + BATCH))))
      }
      return findings
    },
  }
}

const refused = async <Input>(cases: readonly Case<Input>[]): Promise<readonly Finding[]> => {
  const configs = cases.flatMap((each) => each.configs)
  if (configs.length === 0) return []
  const complaint = await complaints(merged(configs))
  if (complaint === '') return []
  if (cases.length === 1) return [{ problem: `Envoy refuses it: ${complaint.slice(-600)}`, input: cases[0]?.input }]
  const half = Math.ceil(cases.length / 2)
  return [...(await refused(cases.slice(0, half))), ...(await refused(cases.slice(half)))]
}
