import { clusterChecks } from './check-cluster.ts'
import { globalServices } from './check-global.ts'
import { installationChecks } from './check-installation.ts'
import { meshChecks } from './check-mesh.ts'
import { clusterDns } from './check-names.ts'
import { mtls, proxyTls } from './check-trust.ts'
import type { Check } from './checks.ts'

/** All checks: first what is installed, then what is in the mesh, then what is beyond the cluster. */
export const CHECKS: readonly Check[] = [
  ...installationChecks,
  ...meshChecks,
  clusterDns,
  mtls,
  proxyTls,
  ...clusterChecks,
  globalServices,
]
