import type { Reporter, TestModule } from 'vitest/node'

/** Ends a run with one plain line, `N passed, N failed, N skipped`, and the reason of every skip above it. */
export default class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly unknown[]): void {
    const count = { passed: 0, failed: 0, skipped: 0, pending: 0 }
    for (const module of modules) {
      let tests = 0
      for (const test of module.children.allTests()) {
        const result = test.result()
        count[result.state]++
        tests++
        if (result.state === 'skipped') console.log(`skipped: ${test.fullName}${result.note ? `: ${result.note}` : ''}`)
      }
      if (tests === 0 || module.errors().length > 0) count.failed++
    }
    count.failed += unhandled.length
    console.log(`\n${count.passed} passed, ${count.failed} failed, ${count.skipped + count.pending} skipped`)
  }
}
