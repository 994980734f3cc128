import type { Failure, Result } from '../../kube/failure.ts'
import type { HubOptions } from './hub-options.ts'

/** Writes something about a cluster at the hub, as far as this replica may. Returns why it failed. */
export type Write = (
  action: string,
  cluster: string,
  body: () => Promise<Result<unknown>>,
) => Promise<Failure | undefined>

export const createWrite =
  ({ metrics, log }: Pick<HubOptions, 'metrics' | 'log'>, mayWrite: () => boolean): Write =>
  async (action, cluster, body) => {
    if (!mayWrite()) return { reason: 'Aborted', message: 'this replica does not lead any more' }
    const written = await body()
    const failure = written.ok ? undefined : written.failure
    metrics.writes.inc({ cluster, action, result: failure?.reason ?? 'ok' })
    if (failure === undefined) log.debug({ action, cluster }, 'written at the hub')
    else log.warn({ action, cluster, reason: failure.reason }, failure.message)
    return failure
  }
