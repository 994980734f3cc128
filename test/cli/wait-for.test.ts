import { expect, test } from 'vitest'
import { waitFor } from '../../cli/live/cluster-facts.ts'
import { unable } from '../../cli/live/connect.ts'
import type { Reason } from '../../kube/failure.ts'

const answering = (...answers: readonly (string | undefined | Error)[]) => {
  const queue = [...answers]
  return async () => {
    const answer = queue.shift()
    if (answer instanceof Error) throw answer
    return answer
  }
}

const failing = (reason: Reason) => unable({ reason, message: 'cannot get Cluster east' }, 'hub')

test.each(['TooManyRequests', 'Unavailable', 'Unreachable'] as const)(
  '%s while it waits: asks again',
  async (reason) => {
    expect(await waitFor(60, answering(failing(reason), undefined, 'there'))).toBe('there')
  },
)

test.each(['Forbidden', 'Unauthorized', 'NotFound'] as const)('%s: says so at once', async (reason) => {
  await expect(waitFor(60, answering(failing(reason), 'there'))).rejects.toThrow('cannot get Cluster east')
})

test('time is up: the last answer counts, also when there is none', async () => {
  expect(await waitFor(-1, answering(undefined, 'there'))).toBeUndefined()
  await expect(waitFor(-1, answering(failing('Unreachable'), 'there'))).rejects.toThrow('cannot get Cluster east')
})
