import { expect, test } from 'vitest'
import { stage } from './stage.ts'

const env = { PATH: process.env['PATH'] ?? '' }

test('of commands that run at once, one that ends badly is told of in its turn', async () => {
  let printed = ''
  const { showAll } = stage(env, (text) => (printed += text))
  const played = showAll(['sleep 1; echo first', 'kill -KILL $$', 'echo third'])
  await expect(played).rejects.toThrow(/kill -KILL \$\$ was ended by SIGKILL/)
  expect(printed).toContain('first')
  expect(printed).not.toContain('third')
})

test('what is not as expected is an error with what was printed', async () => {
  const { show } = stage(env, () => undefined)
  await expect(show('echo good', { output: /good/ })).resolves.toBe('good\n')
  await expect(show('echo bad', { output: /good/ })).rejects.toThrow(
    /echo bad\nno output like \/good\/; it printed\nbad/,
  )
})
