/** Corefiles as distributions have them: what goes in comes out again, and what is not understood is left alone. */
import { describe, expect, test } from 'vitest'
import { forwardsTo, reloads, takesInServers, withForwarding, withoutForwarding } from '../../cli/corefile.ts'

const KUBEADM = `.:53 {
    errors
    health {
       lameduck 5s
    }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }
    prometheus :9153
    forward . /etc/resolv.conf {
       max_concurrent 1000
    }
    cache 30 {
       disable success cluster.local
    }
    loop
    reload
    loadbalance
}
`
const K3S = `.:53 {
    errors
    kubernetes cluster.local in-addr.arpa ip6.arpa {
      pods insecure
    }
    hosts /etc/coredns/NodeHosts {
      ttl 60
      reload 15s
      fallthrough
    }
    forward . /etc/resolv.conf
    reload
    import /etc/coredns/custom/*.override
}
import /etc/coredns/custom/*.server
`
const OPENSHIFT = `# operator
.:5353 {
    bufsize 1232
    errors
    kubernetes cluster.local in-addr.arpa ip6.arpa
    reload
}
hostname.bind:5353 {
    chaos
}
`
const NODE_LOCAL = `cluster.local:53 {
    errors
    reload
    bind 169.254.20.10 10.96.0.10
    forward . 10.96.9.9 {
        force_tcp
    }
}
.:53 {
    bind 169.254.20.10 10.96.0.10
    forward . /etc/resolv.conf
}
`
const ODD = `(snippet) {
    errors
}
# a brace in a comment {
example.org, example.com:53
. {
    import snippet
    log . "{remote} said \\"}\\" and
    more {"
    template IN A { answer "{{ .Name }} 60 IN A 10.0.0.1" }
}
https://other.example {
    errors
}`

const TO = { address: '10.96.0.53', port: 5353, clusterDomain: 'cluster.local' }
const text = (corefile: string, to = TO, whole = true) => {
  const outcome = withForwarding(corefile, to, whole)
  if (!outcome.ok) throw new Error(outcome.why)
  return outcome.text
}
const added = (corefile: string, to = TO, whole = true) => {
  const after = text(corefile, to, whole)
  expect(after.endsWith(corefile)).toBe(true)
  return after.slice(0, after.length - corefile.length)
}

test('a block of ours', () => {
  expect(added(KUBEADM)).toMatchInlineSnapshot(`
    "# portolan: begin. \`portolan dns disable\` removes this block.
    clusterset.local:53 {
        errors
        cache 5
        forward . 10.96.0.53:5353
    }
    # portolan: end
    "
  `)
})

describe.each(Object.entries({ KUBEADM, K3S, OPENSHIFT, NODE_LOCAL, ODD }))('%s', (_, corefile) => {
  test('has names handed to mesh DNS, once, and is as before without', () => {
    const after = text(corefile)
    expect(forwardsTo(after)).toBe('10.96.0.53:5353')
    expect(text(after)).toBe(after)
    expect(withoutForwarding(after)).toEqual({ ok: true, text: corefile })
    expect(withoutForwarding(corefile)).toEqual({ ok: true, text: corefile })
    expect(forwardsTo(corefile)).toBeUndefined()
  })
  test('follows a new address', () => {
    const moved = text(text(corefile), { ...TO, address: 'fd00::53' })
    expect(forwardsTo(moved)).toBe('[fd00::53]:5353')
    expect(withoutForwarding(moved)).toEqual({ ok: true, text: corefile })
  })
  test('keeps what others write around the block', () => {
    const edited = `# mine\n${text(corefile)}\n# and mine\n`
    expect(withoutForwarding(edited)).toEqual({ ok: true, text: `# mine\n${corefile}\n# and mine\n` })
  })
})

test.each([
  ['the port of names that the cluster answers', OPENSHIFT, 'clusterset.local:5353 {'],
  ['no port where the cluster’s block has none', ODD, 'clusterset.local {'],
  ['the addresses that the cluster’s block is bound to', NODE_LOCAL, '    bind 169.254.20.10 10.96.0.10\n    errors'],
])('listens at %s', (_, corefile, line) => expect(added(corefile)).toContain(line))

test('a file that is taken in by another holds our block alone', () => {
  expect(withoutForwarding(text('', TO, false))).toEqual({ ok: true, text: '' })
})

test.each([
  [KUBEADM, true, false],
  [K3S, true, true],
  [ODD, false, false],
  ['.:53 {\n # reload\n hosts x {\n  reload 5s\n }\n}\n', false, false],
])('whether DNS reads changes, and other files', (corefile, itself, others) => {
  expect([reloads(corefile), takesInServers(corefile)]).toEqual([itself, others])
})

test.each([
  ['nothing at all', '', 'no server block answers names of cluster.local, nor all others'],
  ['a block that does not end', '.:53 {\n  errors\n', 'line 2: the last block does not end'],
  ['a block that never began', '.:53 {\n}\n}\n', 'line 3: a block ends that never began'],
  ['a block without a name', '{\n}\n', 'line 1: a block has no name'],
  ['a quote that does not end', '.:53 {\n  log "x\n}\n', 'line 2: a quote does not end'],
  ['plugins without braces', '.:53\nerrors\n', 'line 2: what is not between braces'],
  ['no block for the cluster', 'example.org:53 {\n}\n', 'no server block answers names of cluster.local'],
  ['half a block of ours', text(KUBEADM).replace('# portolan: end\n', ''), 'without the other'],
  ['two blocks of ours', text(KUBEADM) + text(KUBEADM), 'without the other'],
  [
    'somebody else’s block for these names',
    `${KUBEADM}ClusterSet.local:53 {\n    lighthouse\n}\n`,
    'line 23 has something to say of clusterset.local already (ClusterSet.local:53); take it out first',
  ],
  [
    'a plugin for these names',
    KUBEADM.replace('ready', 'multicluster clusterset.local'),
    'line 6 has something to say of clusterset.local already (clusterset.local)',
  ],
])('%s is refused, with what to do', (_, corefile, why) => {
  const outcome = withForwarding(corefile, TO)
  expect(outcome).toMatchObject({ ok: false, why: expect.stringContaining(why) })
  expect(outcome).toMatchObject({ why: expect.stringMatching(/ put it right, or | take it out first/) })
})
