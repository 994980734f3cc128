import { CAPTURE_PORT } from '../api/names.ts'

/** What the init container does to the pod's network. */
export interface Capture {
  readonly vipRange: string
  readonly proxyUid: number
  readonly excludedPorts: readonly number[]
  readonly excludedRanges: readonly string[]
}

/** iptables' multiport match takes no more in one rule. */
const MULTIPORT_MAX = 15
const CHAIN = 'PORTOLAN_OUT'

const chunks = <T>(list: readonly T[], size: number): readonly (readonly T[])[] =>
  Array.from({ length: Math.ceil(list.length / size) }, (_, i) => list.slice(i * size, (i + 1) * size))

/**
 * Input for `iptables-restore --noflush`: TCP to the VIP range goes to the sidecar, all else is untouched.
 *
 * The VIP range is IPv4, so IPv6 exclusions have nothing to exclude from. Declaring the chain empties it, and a second
 * jump to it changes nothing, so the rules may be loaded again when the init container is.
 */
export const captureRules = (capture: Capture): string => {
  const { vipRange, proxyUid, excludedPorts, excludedRanges } = capture
  const ipv4 = excludedRanges.filter((range) => !range.includes(':'))
  return [
    '*nat',
    `:${CHAIN} - [0:0]`,
    ...ipv4.map((range) => `-A ${CHAIN} -d ${range} -j RETURN`),
    ...chunks(excludedPorts, MULTIPORT_MAX).map(
      (ports) => `-A ${CHAIN} -p tcp -m multiport --dports ${ports.join(',')} -j RETURN`,
    ),
    `-A ${CHAIN} -m owner --uid-owner ${proxyUid} -j RETURN`,
    `-A ${CHAIN} -p tcp -j REDIRECT --to-ports ${CAPTURE_PORT}`,
    `-A OUTPUT -d ${vipRange} -p tcp -j ${CHAIN}`,
    'COMMIT',
    '*filter',
    // A VIP that the proxy itself dials (a route to its own address) would otherwise leave the node and hang.
    `-A OUTPUT -d ${vipRange} -p tcp -m owner --uid-owner ${proxyUid} -j REJECT --reject-with tcp-reset`,
    'COMMIT',
    '',
  ].join('\n')
}

/**
 * Waits until the sidecar listens: states and ports of /proc/net/tcp are hexadecimal, 0A is LISTEN. It stands in for a
 * startup probe, whose first result the kubelet acts on only a whole relist period (one second) later.
 */
const waitForProxy = `listening() {
  while read -r _ address _ state _; do
    case "$address $state" in *:${CAPTURE_PORT.toString(16).toUpperCase()}' 0A') return 0 ;; esac
  done </proc/net/tcp
  return 1
}
tries=0
until listening; do
  tries=$((tries + 1))
  if [ "$tries" -ge 600 ]; then
    echo 'the sidecar does not listen after a minute: see its log' >&2
    exit 1
  fi
  sleep 0.1
done`

/** The init container's whole program, for `sh -ec`: needs iptables with either back end, and no other tool. */
export const captureScript = (capture: Capture): string => `rules='${captureRules(capture)}'
load() { printf '%s' "$rules" | "$1" -n -w; }
load iptables-restore || load iptables-legacy-restore
${waitForProxy}
`
