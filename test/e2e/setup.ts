/** Before each file of tests on real clusters. */
import { enterLab, RUN_VARIABLE } from './worker-lab.ts'

await enterLab(process.env['VITEST_POOL_ID'] ?? '1', process.env[RUN_VARIABLE] ?? '')
