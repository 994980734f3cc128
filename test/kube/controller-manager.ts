/** Kubernetes' own controllers beside an API server without nodes, where a test needs what one of them does. */

import { type ChildProcess, spawn } from 'node:child_process'
import { dirname, join } from 'node:path'
import { freePorts } from '../lab/ports.ts'
import { binary } from '../lab/toolchain.ts'
import type { ApiServer } from './apiserver.ts'

export interface ControllerManager {
  readonly stop: () => Promise<void>
}

/** @param controllers by the names that `--controllers` knows */
export async function startControllers(api: ApiServer, controllers: readonly string[]): Promise<ControllerManager> {
  const dir = dirname(api.kubeconfig)
  const [port] = await freePorts(1)
  const args = [
    ...[await binary('kube-controller-manager'), `--kubeconfig=${api.kubeconfig}`, '--leader-elect=false'],
    ...[`--controllers=${controllers.join(',')}`, '--bind-address=127.0.0.1', `--secure-port=${port}`],
    ...[`--cert-dir=${join(dir, 'controllers')}`, `--service-account-private-key-file=${join(dir, 'sa.key')}`],
    `--root-ca-file=${join(dir, 'tls/apiserver.crt')}`,
  ]
  const child: ChildProcess = spawn('setpriv', ['--pdeathsig', 'KILL', ...args], { stdio: 'ignore' })
  const exit = new Promise((resolve) => child.once('exit', resolve))
  return {
    stop: async () => {
      child.kill('SIGKILL')
      await exit
    },
  }
}
