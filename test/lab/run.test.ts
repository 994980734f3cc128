import { expect, test } from 'vitest'
import { tryRun } from './run.ts'

test.each([
  ['takes too long', 'exec sleep 600', { timeout: 100 }, /was not done after 0\.1 s$/],
  ['is ended by another', 'echo why >&2; kill -TERM $$; sleep 600', {}, /was ended by SIGTERM:\nwhy$/],
])('a program that %s is told of', async (_, script, options, message) => {
  await expect(tryRun('sh', ['-c', script], options)).rejects.toThrow(message)
})
