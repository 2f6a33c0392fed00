import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { root } from '../setup/paths.mjs'
import { run, runAsRoot } from '../setup/run.mjs'

/**
 * Runs projects of vitest.config.ts and counts their tests.
 * @param {string[]} projects
 * @param {string} workspace a directory for the report
 * @param {{ env: NodeJS.ProcessEnv, timeout: number, asRoot: boolean }} options timeout: milliseconds for all of it
 * @returns {Promise<{ passed: number, failed: string[], skipped: string[] }>} failed, skipped: the tests' names
 */
export async function runVitest(projects, workspace, options) {
  const report = join(workspace, `vitest-${projects[0]}.json`)
  const args = [join(root, 'node_modules/vitest/vitest.mjs'), 'run']
  args.push(...projects.flatMap((project) => ['--project', project]))
  args.push('--reporter=default', '--reporter=json', `--outputFile.json=${report}`)
  const start = options.asRoot ? runAsRoot : run
  const { code } = await start(process.execPath, args, { show: true, cwd: root, ...options })
  const text = await readFile(report, 'utf8').catch(() => null)
  const files = text === null ? [] : JSON.parse(text).testResults
  const tests = files.flatMap((file) => file.assertionResults)
  const named = (...statuses) =>
    tests.filter((test) => statuses.includes(test.status)).map((test) => test.fullName)
  const failed = named('failed')
  // A file that fails before its tests are known has no failed test.
  failed.push(
    ...files
      .filter(
        (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
      )
      .map((file) => `${file.name}: ${file.message.split('\n')[0]}`),
  )
  if (code !== 0 && failed.length === 0) {
    failed.push(`vitest ended with exit code ${code}${code === 124 ? ': its time was over' : ''}`)
  }
  return { passed: named('passed').length, failed, skipped: named('skipped', 'pending', 'todo', 'disabled') }
}
