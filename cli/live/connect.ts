import { createClient, type KubeClient } from '../../kube/client.ts'
import { type Connection, ConnectionError, connect } from '../../kube/connection.ts'
import type { Failure, Result } from '../../kube/failure.ts'
import { UsageError } from '../io.ts'
import type { LiveFlags, NamespaceFlag } from './flags.ts'

/** A cluster that answers. */
export interface Live {
  readonly client: KubeClient
  readonly connection: Connection
  /** What people know the cluster by: the context's name. */
  readonly name: string
  /** The namespace that the command is about when it names none itself. */
  readonly namespace: string
  /** Portolan's own. */
  readonly portolanNamespace: string
  /** As the API server says it, `v1.35.4`. */
  readonly version: string
}

/**
 * Runs a command against the cluster that its flags name, and hangs up.
 * @throws UsageError, with a remedy, when there is no such cluster or it does not answer
 */
export async function withCluster<T>(flags: LiveFlags & NamespaceFlag, run: (cluster: Live) => Promise<T>): Promise<T> {
  const { kubeconfig, context, portolanNamespace } = flags
  const connection = await connect(definedOnly({ kubeconfig, context })).catch((error: unknown) => {
    if (error instanceof ConnectionError) throw new UsageError(error.message, { cause: error })
    throw error
  })
  const name = connection.context ?? 'this cluster'
  const client = createClient(connection, { userAgent: 'portolan-cli' })
  try {
    const version = must(await client.raw('/version'), name)
    return await run({
      client,
      connection,
      name,
      namespace: flags.namespace ?? connection.namespace ?? 'default',
      portolanNamespace,
      version: (JSON.parse(version) as { readonly gitVersion: string }).gitVersion,
    })
  } finally {
    await client.close()
  }
}

/**
 * The value, for commands that cannot go on without it.
 * @throws UsageError that says what to do
 */
export function must<T>(result: Result<T>, cluster: string): T {
  if (result.ok) return result.value
  throw unable(result.failure, cluster)
}

/** The value, or undefined when there is no such object; other failures throw as in {@link must}. */
export function mustOrMissing<T>(result: Result<T>, cluster: string): T | undefined {
  return !result.ok && result.failure.reason === 'NotFound' ? undefined : must(result, cluster)
}

/** A failure as the last word of a command. */
export function unable(failure: Failure, cluster: string): UsageError {
  const { reason, message } = failure
  const remedy = REMEDIES[reason]
  return new UsageError(`${cluster}: ${message}${remedy === undefined ? '' : `; ${remedy}`}`, { cause: failure })
}

const reasonOf = (error: unknown): Failure['reason'] | undefined =>
  error instanceof UsageError ? (error.cause as Failure | undefined)?.reason : undefined

/** Whether a command ended because its user may not do something. */
export const isForbidden = (error: unknown): boolean => reasonOf(error) === 'Forbidden'

const PASSING: ReadonlySet<Failure['reason'] | undefined> = new Set(['TooManyRequests', 'Unavailable', 'Unreachable'])

/** Whether an API server gave no answer that it will not give in a while. */
export const mayPass = (error: unknown): boolean => PASSING.has(reasonOf(error))

const REMEDIES: Partial<Record<Failure['reason'], string>> = {
  Unreachable: 'check that the cluster is up and that the kubeconfig names its address, or name another --context',
  Unauthorized: "log in to the cluster again: the kubeconfig's credentials are not accepted",
  Forbidden: 'ask for this permission, or use a kubeconfig that has it',
  Unavailable: 'try again, and see whether the control plane of the cluster is healthy',
  TooManyRequests: 'try again in a moment',
}

/** Without the fields that are undefined: the strictest compiler tells absent from undefined. */
export function definedOnly<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as ReturnType<
    typeof definedOnly<T>
  >
}
