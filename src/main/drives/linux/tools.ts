import { execFile } from 'node:child_process'
import { access, constants } from 'node:fs/promises'
import { join } from 'node:path'
import { fail, ok, type Result } from '../../../shared/failure'

/** Where distributions keep util-linux. PATH is not asked: as root it would let its owner choose the program. */
const folders = ['/usr/bin', '/usr/sbin', '/bin', '/sbin', '/run/current-system/sw/bin']

/**
 * Runs one of util-linux' programs by its absolute path, without a shell and with a fixed environment.
 * @param name the program's file name
 * @param args its arguments
 * @param cwd its working directory
 * @returns its standard output; `tool-missing` or `tool-failed`
 */
export async function runTool(name: string, args: readonly string[], cwd = '/'): Promise<Result<string>> {
  const path = await findTool(name)
  if (path === null) return fail('tool-missing', { tool: name, package: 'util-linux' })
  return new Promise((resolve) => {
    const options = { cwd, env: { LC_ALL: 'C', PATH: folders.join(':') }, maxBuffer: 16 * 1024 * 1024 }
    execFile(path, args, options, (error, stdout, stderr) => {
      if (error === null) resolve(ok(stdout))
      else {
        const exitCode = typeof error.code === 'number' ? error.code : null
        resolve(fail('tool-failed', { tool: name, exitCode, output: stderr.trim() }))
      }
    })
  })
}

async function findTool(name: string): Promise<string | null> {
  for (const folder of folders) {
    const path = join(folder, name)
    try {
      await access(path, constants.X_OK)
      return path
    } catch {
      continue
    }
  }
  return null
}
