import { expect, test } from 'vitest'
import { isStream, spokenAt } from '../../compiler/protocol.ts'

test.each([
  ['tcp', 'tcp'],
  ['tcp2', 'tcp'],
  ['TCP-metrics', 'tcp'],
  ['redis', 'redis'],
  ['redis-main', 'redis'],
  ['redis6379', 'redis'],
  ['pop3', 'pop3'],
])('a port named %s is a stream that speaks %s', (name, expected) => {
  expect({ stream: isStream({ name }), spoken: spokenAt({ name }) }).toEqual({ stream: true, spoken: expected })
})

test.each(['http', 'http2', 'web', 'redisearch', 'tcpdump', '8080', '', undefined])(
  'a port named %s is HTTP',
  (name) => {
    const port = name === undefined ? {} : { name }
    expect({ stream: isStream(port), spoken: spokenAt(port) }).toEqual({ stream: false, spoken: 'http' })
  },
)

test('what appProtocol says counts more', () => {
  expect(isStream({ name: 'tcp2', appProtocol: 'http' })).toBe(false)
  expect(spokenAt({ name: 'web', appProtocol: 'redis' })).toBe('redis')
})
