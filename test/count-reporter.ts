import { stripVTControlCharacters } from 'node:util'
import type { Reporter, TestModule } from 'vitest/node'

interface Failure {
  readonly message: string
}

/** Ends a run with one plain line, `N passed, N failed, N skipped`; above it, in a line each, why tests were skipped or failed. */
export default class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly Failure[]): void {
    const count = { passed: 0, failed: 0, skipped: 0, pending: 0 }
    const failures: string[] = []
    const failed = (where: string, errors: readonly Failure[]) =>
      failures.push(
        `failed: ${where}: ${errors.map(({ message }) => inOneLine(message)).join('; ') || 'no error was given'}`,
      )
    for (const module of modules) {
      let tests = 0
      for (const test of module.children.allTests()) {
        const result = test.result()
        count[result.state]++
        tests++
        const where = `${module.relativeModuleId} > ${test.fullName}`
        if (result.state === 'skipped') console.log(`skipped: ${where}${result.note ? `: ${result.note}` : ''}`)
        if (result.state === 'failed') failed(where, result.errors)
      }
      const hooks = [module, ...module.children.allSuites()].flatMap((each) => each.errors())
      if (tests > 0 && hooks.length === 0) continue
      count.failed++
      failed(module.relativeModuleId, hooks.length > 0 ? hooks : [{ message: 'no test in it' }])
    }
    if (unhandled.length > 0) failed('outside of tests', unhandled)
    count.failed += unhandled.length
    for (const each of failures) console.log(each)
    console.log(`\n${count.passed} passed, ${count.failed} failed, ${count.skipped + count.pending} skipped`)
  }
}

/** The beginning and the end of a long one: what was run, and what came of it. */
function inOneLine(message: string): string {
  const line = stripVTControlCharacters(message).replace(/\s+/g, ' ').trim()
  return line.length > 900 ? `${line.slice(0, 400)} … ${line.slice(-500)}` : line
}
