import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { startSampler } from '../../compiler/controller/sampler.ts'
import { hasIpv6 } from '../lab/network.ts'

const ends: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0)) await end()
})

const GOOD =
  'cluster_manager.cds.update_failure: 0\ncluster_manager.cds.update_rejected: 0\ncluster_manager.cds.version_text: "v1"\n'

/** What stands in a pod where its proxy should answer. */
const answered = async (listener: RequestListener, ip = '127.0.0.1') => {
  const server: Server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, ip, resolve))
  const failures: unknown[] = []
  const sampler = startSampler({
    onChange: () => {},
    onFailure: (_, cause) => failures.push(cause),
    port: (server.address() as AddressInfo).port,
  })
  ends.push(sampler.stop, async () => {
    server.closeAllConnections()
    server.close()
  })
  sampler.retarget([{ uid: 'a', ip, wanted: 'v1' }])
  return { failures, sampler }
}

test.each(hasIpv6() ? ['127.0.0.1', '::1'] : ['127.0.0.1'])('a proxy at %s says which version it runs', async (ip) => {
  const { sampler } = await answered((_, response) => response.end(GOOD), ip)
  await expect.poll(() => sampler.sampleOf('a')?.version).toBe('v1')
})

test('a pod that answers without end is not listened to for long', async () => {
  let sent = 0
  const { failures, sampler } = await answered((_, response) => {
    const chunk = 'x'.repeat(65_536)
    const more = (): void => {
      while (!response.destroyed && response.write(chunk)) sent += chunk.length
    }
    response.on('drain', more)
    more()
  })
  await expect.poll(() => failures.map(String)).toContainEqual(expect.stringContaining('more than 4096 bytes'))
  expect(sampler.sampleOf('a')).toBeUndefined()
  // What fits into the buffers of two sockets.
  expect(sent).toBeLessThan(32 * 1024 * 1024)
})
