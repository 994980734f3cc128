import type { RunResult } from '../lab/run.ts'
import type { Loose } from './site.ts'

type Kubectl = (args: readonly string[]) => Promise<RunResult>

/**
 * Why pods of a cluster are not ready, for the message of what waited for them in vain: each pod that is not, with what
 * its containers and the newest warnings of its namespace say.
 */
export async function trouble(kubectl: Kubectl, namespace?: string): Promise<string> {
  const where = namespace === undefined ? ['-A'] : ['-n', namespace]
  const list = async (...args: readonly string[]): Promise<readonly Loose[]> => {
    const { code, stdout } = await kubectl([...where, 'get', ...args, '-o', 'json'])
    return code === 0 ? JSON.parse(stdout).items : []
  }
  const [pods, events] = await Promise.all([
    list('pods'),
    list('events', '--field-selector=type=Warning', '--sort-by=.lastTimestamp'),
  ])
  return [
    ...pods.filter(({ status }) => !isReady(status)).map(describePod),
    ...events
      .slice(-5)
      .map(({ involvedObject: { kind, name }, reason, message }) => `${kind} ${name}: ${reason}: ${message}`),
  ].join('\n')
}

function isReady({ phase, conditions = [] }: Loose): boolean {
  return phase === 'Succeeded' || conditions.some(({ type, status }: Loose) => type === 'Ready' && status === 'True')
}

function describePod({ metadata: { namespace, name }, status }: Loose): string {
  const containers = [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])]
    .filter(({ ready }: Loose) => !ready)
    .map(({ name: container, restartCount, state, lastState }: Loose) => {
      const last = lastState.terminated === undefined ? '' : `, before: ${JSON.stringify(lastState.terminated)}`
      return `${container} ${JSON.stringify(state)}, restarts: ${restartCount}${last}`
    })
  return `pod ${namespace}/${name} is ${status.phase}: ${containers.join('; ')}`
}
