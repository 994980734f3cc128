import { CAPTURE_PORT } from '../api/names.ts'
import { familyOf, refusingAddress } from '../api/vip-range.ts'
import type { Settings } from './inject-settings.ts'

/** What the init container does to the pod's network. */
export interface Capture
  extends Pick<
    Settings,
    'excludedPorts' | 'excludedRanges' | 'includedPorts' | 'includedRanges' | 'excludedInterfaces'
  > {
  readonly vipRange: string
  readonly proxyUid: number
}

/** iptables' multiport match takes no more in one rule. */
const MULTIPORT_MAX = 15
const CHAIN = 'PORTOLAN_OUT'

const chunks = <T>(list: readonly T[], size: number): readonly (readonly T[])[] =>
  Array.from({ length: Math.ceil(list.length / size) }, (_, i) => list.slice(i * size, (i + 1) * size))

const portMatches = (ports: readonly number[]): readonly string[] =>
  chunks(ports, MULTIPORT_MAX).map((some) => `-p tcp -m multiport --dports ${some.join(',')}`)

/** As they are when a list is empty, else once for each entry. */
const narrowed = (matches: readonly string[], entries: readonly string[]): readonly string[] =>
  entries.length === 0 ? matches : entries.flatMap((entry) => matches.map((match) => `${match} ${entry}`.trim()))

/**
 * Input for `iptables-restore --noflush`, or ip6tables' where the VIP range is IPv6: TCP to the VIP range goes to the
 * sidecar, all else is untouched.
 *
 * Ranges of the other family have nothing to take out or in. Declaring the chain empties it, and a second jump to it
 * changes nothing, so the rules may be loaded again when the init container is.
 */
export const captureRules = (capture: Capture): string => {
  const { vipRange, proxyUid, excludedPorts, excludedRanges, includedPorts, includedRanges, excludedInterfaces } =
    capture
  const family = familyOf(vipRange)
  const ofFamily = (ranges: readonly string[]) => ranges.filter((range) => familyOf(range) === family)
  const refused = refusingAddress(vipRange)
  const within = ofFamily(includedRanges).map((range) => `-d ${range}`)
  const taken =
    includedRanges.length > 0 && within.length === 0
      ? []
      : narrowed(
          narrowed(['-p tcp'], within),
          portMatches(includedPorts).map((match) => match.slice('-p tcp '.length)),
        )
  // Of IPv4's the loopback refuses it; IPv6's is one of the range.
  const inRange = family === 6 ? [`-d ${refused}/128`] : []
  return [
    '*nat',
    `:${CHAIN} - [0:0]`,
    ...[
      ...inRange,
      ...excludedInterfaces.map((name) => `-o ${name}`),
      ...ofFamily(excludedRanges).map((range) => `-d ${range}`),
      ...portMatches(excludedPorts),
      `-m owner --uid-owner ${proxyUid}`,
    ].map((match) => `-A ${CHAIN} ${match} -j RETURN`),
    ...taken.map((match) => `-A ${CHAIN} ${match} -j REDIRECT --to-ports ${CAPTURE_PORT}`),
    `-A OUTPUT -d ${vipRange} -p tcp -j ${CHAIN}`,
    'COMMIT',
    '*filter',
    ...inRange.map((match) => `-A OUTPUT ${match} -p tcp -j REJECT --reject-with tcp-reset`),
    // A VIP that the proxy itself dials (a route to its own address) would otherwise leave the node and hang.
    `-A OUTPUT -d ${vipRange} -p tcp -m owner --uid-owner ${proxyUid} -j REJECT --reject-with tcp-reset`,
    'COMMIT',
    '',
  ].join('\n')
}

/**
 * Waits until the sidecar listens: states and ports of /proc/net/tcp are hexadecimal, 0A is LISTEN. It stands in for a
 * startup probe, whose first result the kubelet acts on only a whole relist period (one second) later. A proxy that listens
 * on both families stands in tcp6 alone, which a kernel without IPv6 has not.
 */
const WAIT_FOR_PROXY = `listening() {
  for sockets in /proc/net/tcp /proc/net/tcp6; do
    [ -r "$sockets" ] || continue
    while read -r _ address _ state _; do
      case "$address $state" in *:${CAPTURE_PORT.toString(16).toUpperCase()}' 0A') return 0 ;; esac
    done <"$sockets"
  done
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
export const captureScript = (capture: Capture): string => {
  const tables = familyOf(capture.vipRange) === 4 ? 'iptables' : 'ip6tables'
  return `rules='${captureRules(capture)}'
load() { printf '%s' "$rules" | "$1" -n -w; }
load ${tables}-restore || load ${tables}-legacy-restore
${WAIT_FOR_PROXY}
`
}
