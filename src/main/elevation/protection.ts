import { lstat, realpath } from 'node:fs/promises'
import { dirname } from 'node:path'
import { fail, ok, type Result } from '../../shared/failure'

/** What stat(2) says about who may exchange a file or folder. */
interface Ownership {
  uid: number
  gid: number
  mode: number
  isLink: boolean
}

/** Whether root alone can change it; root's group is root, and the mode of a link says nothing. */
export function isProtected({ uid, gid, mode, isLink }: Ownership): boolean {
  if (uid !== 0 || isLink) return uid === 0
  return (mode & 0o002) === 0 && ((mode & 0o020) === 0 || gid === 0)
}

/**
 * Checks that nobody but root can put something else in the place of files that root is going to run: they and every
 * folder on the way to them, by their own names and by where links lead.
 * @param paths absolute
 * @returns `elevation-unprotected` with the first place where somebody could
 */
export async function checkProtected(paths: readonly string[]): Promise<Result<null>> {
  const places = new Set<string>()
  for (const path of paths) {
    const real = await realpath(path).catch(() => path)
    for (const start of [path, real]) {
      for (let place = start; !places.has(place); place = dirname(place)) places.add(place)
    }
  }
  for (const place of places) {
    const found = await lstat(place).catch(() => null)
    if (found === null) return fail('elevation-unprotected', { path: place })
    const { uid, gid, mode } = found
    if (!isProtected({ uid, gid, mode, isLink: found.isSymbolicLink() })) {
      return fail('elevation-unprotected', { path: place })
    }
  }
  return ok(null)
}
