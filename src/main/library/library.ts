import { createHash } from 'node:crypto'
import { mkdirSync, watch, type FSWatcher } from 'node:fs'
import { mkdir, readdir, readFile, rm, stat, unlink } from 'node:fs/promises'
import { homedir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { diskRecordSchema, type DiskRecord } from '../../shared/disk'
import { fail, ok, type Result } from '../../shared/failure'
import type { ListedDisk } from '../../shared/ipc/contract'
import { machineFirmwares, type MachineFirmware, type Proof } from '../../shared/proof'
import { blockMapPath } from './block-map'
import { withLock } from './lock'
import { writeWhole } from './write-whole'

/** Milliseconds in which changes are gathered before the list is read again. */
const GATHER_INTERVAL = 100

/**
 * The disks that were built. Each has a file of its own in the library's
 * folder, so that window and terminal can add at the same time without a lock
 * (a change of what is there takes one), and a copy beside the disk, which goes along when the disk is moved.
 */
export interface Library {
  /** All disks, newest first. */
  list(): Promise<ListedDisk[]>
  /** One disk, or `not-found`. */
  find(id: string): Promise<Result<ListedDisk>>
  /** Takes a disk in, in place of what was known under its path. Throws when the library cannot be written. */
  add(record: DiskRecord): Promise<void>
  /** Takes a disk out and leaves its file; `not-found`. */
  forget(id: string): Promise<Result<null>>
  /** Deletes the disk's file; `not-found`, `disk-missing` when that file is not the one that was built, `output-forbidden`. */
  remove(id: string): Promise<Result<null>>
  /**
   * Notes what a boot has shown, in place of the last one under that firmware. With `picture`, a PNG, it is kept beside
   * the disk; `proof.picture` follows. `not-found`.
   */
  addProof(id: string, proof: Proof, picture: Uint8Array | null): Promise<Result<null>>
  /** The picture of the last boot under a firmware, as PNG; null when there is none. `not-found`. */
  readPicture(id: string, firmware: MachineFirmware): Promise<Result<Buffer | null>>
  /** Forgets what holds for exactly the file as it was, because a machine writes to it now: proofs, block map, list of files; `not-found`. */
  invalidate(id: string): Promise<Result<null>>
  /** Calls back with the whole list after each change, also by another process; answers the function that ends it. Throws when the folder cannot be made. */
  subscribe(listener: (disks: ListedDisk[]) => void): () => void
}

/** The name under which a disk is known: a hash of its absolute path. */
export function diskIdOf(path: string): string {
  return createHash('sha256').update(path).digest('hex').slice(0, 32)
}

/** Where the record of a disk lies beside it. */
export function sidecarPath(diskPath: string): string {
  return `${diskPath}.slipway.json`
}

/** Where the list of a disk's files lies beside it, as `sha256sum -c` reads it. */
export function manifestPath(diskPath: string): string {
  return `${diskPath}.files.sha256`
}

/** Where the picture of a disk's last boot under a firmware lies beside it. */
export function picturePath(diskPath: string, firmware: MachineFirmware): string {
  return `${diskPath}.slipway-${firmware}.png`
}

/**
 * Reads the record beside a disk.
 * @param diskPath absolute
 * @returns the record with the path that the disk has now, or null when there is none or it is broken
 */
export async function readSidecar(diskPath: string): Promise<DiskRecord | null> {
  const record = await readRecord(sidecarPath(diskPath)).catch(() => null)
  return record === null ? null : { ...record, path: diskPath, id: diskIdOf(diskPath) }
}

/**
 * The folder of this user's library (XDG Base Directory Specification).
 * @param environment of the process
 */
export function libraryFolder(environment: Readonly<Record<string, string | undefined>>): string {
  const given = environment['XDG_DATA_HOME'] ?? ''
  // Relative paths are to be ignored, says the specification.
  const data = given.startsWith('/') ? given : join(homedir(), '.local/share')
  return join(data, 'slipway/disks')
}

/**
 * Opens a library. The folder is made when it is first added to or subscribed to.
 * @param folder absolute
 * @param log gets a line for each record that cannot be read
 */
export function openLibrary(folder: string, log: (line: string) => void): Library {
  const recordPath = (id: string): string => join(folder, `${id}.json`)

  async function load(id: string): Promise<DiskRecord | null> {
    try {
      const record = await readRecord(recordPath(id))
      return record?.id === id ? record : null
    } catch (error) {
      log(`library: ${recordPath(id)} is ignored: ${String(error)}`)
      return null
    }
  }

  async function list(): Promise<ListedDisk[]> {
    const names = await readdir(folder).catch(() => [])
    const disks: ListedDisk[] = []
    for (const name of names) {
      const id = /^([0-9a-f]{32})\.json$/.exec(name)?.[1]
      const record = id === undefined ? null : await load(id)
      if (record !== null) disks.push(await listed(record))
    }
    return disks.sort((a, b) => b.builtAt - a.builtAt || a.path.localeCompare(b.path))
  }

  async function find(id: string): Promise<Result<ListedDisk>> {
    const record = /^[0-9a-f]{32}$/.test(id) ? await load(id) : null
    return record === null ? fail('not-found', { what: 'disk' }) : ok(await listed(record))
  }

  async function save(record: DiskRecord): Promise<void> {
    await mkdir(folder, { recursive: true })
    const text = `${JSON.stringify(diskRecordSchema.parse(record), null, 2)}\n`
    await writeWhole(sidecarPath(record.path), text).catch((error: unknown) => {
      // The disk may lie where nothing more can be written by now; the library knows it all the same.
      log(`library: no record beside ${record.path}: ${String(error)}`)
    })
    await writeWhole(recordPath(record.id), text)
  }

  /** Reads a record and writes it changed, while nobody else does, in the window or in a terminal. */
  async function changing(id: string, change: (disk: ListedDisk) => Promise<void>): Promise<Result<null>> {
    const known = await find(id)
    if (!known.ok) return known
    return withLock(join(folder, `.${id}.lock`), async () => {
      const found = await find(id)
      if (!found.ok) return found
      await change(found.value)
      return ok(null)
    })
  }

  return {
    list,
    find,
    add: save,
    async forget(id) {
      const found = await find(id)
      if (!found.ok) return found
      await rm(recordPath(id), { force: true })
      return ok(null)
    },
    async remove(id) {
      const found = await find(id)
      if (!found.ok) return found
      const { path, present } = found.value
      // A file that is not what was built is not ours to delete.
      if (!present) return fail('disk-missing', { path })
      try {
        await unlink(path)
        for (const beside of [sidecarPath(path), blockMapPath(path), manifestPath(path)]) {
          await rm(beside, { force: true })
        }
        await removePictures(path)
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException
        if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS')
          return fail('output-forbidden', { path })
        throw error
      }
      await rm(recordPath(id), { force: true })
      return ok(null)
    },
    addProof: (id, proof, picture) =>
      changing(id, async (disk) => {
        const { path, proofs } = disk
        let isKept = false
        if (picture !== null) {
          isKept = await writeWhole(picturePath(path, proof.firmware), picture).then(
            () => true,
            (error: unknown) => {
              log(`library: no picture beside ${path}: ${String(error)}`)
              return false
            },
          )
        }
        const others = proofs.filter(({ firmware }) => firmware !== proof.firmware)
        await save({ ...disk, proofs: [...others, { ...proof, picture: isKept }] })
      }),
    async readPicture(id, firmware) {
      const found = await find(id)
      if (!found.ok) return found
      if (!found.value.proofs.some((proof) => proof.firmware === firmware && proof.picture)) return ok(null)
      return ok(await readFile(picturePath(found.value.path, firmware)).catch(() => null))
    },
    invalidate: (id) =>
      changing(id, async (disk) => {
        const { path } = disk
        await save({ ...disk, proofs: [] })
        await removePictures(path)
        for (const beside of [blockMapPath(path), manifestPath(path)]) await rm(beside, { force: true })
      }),
    subscribe(listener) {
      return watchLibrary(folder, list, listener)
    },
  }
}

/** Watches the library's folder and, for files that go or change, the folders of its disks. */
function watchLibrary(
  folder: string,
  list: () => Promise<ListedDisk[]>,
  listener: (disks: ListedDisk[]) => void,
): () => void {
  let ofDisks: FSWatcher[] = []
  let timer: NodeJS.Timeout | null = null
  let isEnded = false
  let last = ''

  /** Others write in these folders too, a running build for one; `isOurs` picks the names that matter. */
  function watchFolder(path: string, isOurs: (name: string) => boolean): FSWatcher[] {
    try {
      const watcher = watch(path, (_event, name) => {
        if (name === null || isOurs(name)) timer ??= setTimeout(() => void refresh(), GATHER_INTERVAL)
      })
      watcher.on('error', () => {
        watcher.close()
      })
      return [watcher]
    } catch {
      // No such folder: its disks are listed as missing, and there is nothing to watch.
      return []
    }
  }
  async function refresh(): Promise<void> {
    timer = null
    const disks = await list()
    if (isEnded) return
    for (const watcher of ofDisks) watcher.close()
    const paths = new Set(disks.map((disk) => disk.path))
    const folders = new Set(disks.map((disk) => dirname(disk.path)))
    ofDisks = [...folders].flatMap((path) => watchFolder(path, (name) => paths.has(join(path, name))))
    const text = JSON.stringify(disks)
    if (text !== last) listener(disks)
    last = text
  }

  mkdirSync(folder, { recursive: true })
  const ofLibrary = watchFolder(folder, (name) => !name.startsWith('.'))
  void refresh()
  return () => {
    isEnded = true
    if (timer !== null) clearTimeout(timer)
    for (const watcher of [...ofLibrary, ...ofDisks]) watcher.close()
  }
}

async function listed(record: DiskRecord): Promise<ListedDisk> {
  const found = await stat(record.path).catch(() => null)
  // Files that are not raw have another length than their disk.
  const present =
    found !== null && found.isFile() && (record.format !== 'raw' || found.size === record.sizeBytes)
  // A proof is one of exactly the file that was booted.
  const proofs = record.proofs.filter(
    ({ file }) => found !== null && file.modifiedAt === found.mtimeMs && file.sizeBytes === found.size,
  )
  return { ...record, name: basename(record.path), present, proofs }
}

async function removePictures(diskPath: string): Promise<void> {
  for (const firmware of machineFirmwares) await rm(picturePath(diskPath, firmware), { force: true })
}

/** Reads and checks a record; null when there is no file. Throws when it is none. */
async function readRecord(path: string): Promise<DiskRecord | null> {
  let text
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
  return diskRecordSchema.parse(JSON.parse(text))
}
