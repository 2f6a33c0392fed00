import { constants } from 'node:fs'
import { open, readFile, stat } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { fail, ok, type Result } from '../../shared/failure'
import { deviceNumber } from '../drives/linux/device-number'
import { parseMountinfo, type Mount } from '../drives/linux/parse'
import { runTool } from '../drives/linux/tools'

/** open(2), O_PATH: names a place without opening what is there, so that nothing can hang or be triggered. Node has no name for it. */
const O_PATH = 0o10000000
/** Mounts of one drive that are taken away at most; who mounts it again and again has it in use. */
const MAXIMUM_MOUNTS = 100

/**
 * Unmounts a drive and its partitions where this process sees them mounted, the latest mount first; never lazily, so
 * what is in use stays. No other mount namespace is entered: whoever asked may be in one of his own, where programs
 * and mount points are what he made them. Where mounts are shared (mount_namespaces(7)), as systemd has them, an
 * unmount here reaches the others by itself; where it does not, whoever asked for it finds the drive mounted still.
 * @param device shown in a failure
 * @param numbers device numbers of the drive and its partitions, `8:17`; nothing else is ever unmounted
 * @returns `drive-busy` for what could not be unmounted, and for what something else is mounted on
 */
export async function unmountDrive(device: string, numbers: ReadonlySet<string>): Promise<Result<null>> {
  const busy = (detail: string): Result<never> => fail('drive-busy', { device, detail })
  for (let count = 0; count < MAXIMUM_MOUNTS; count++) {
    const table = parseMountinfo(await readFile('/proc/self/mountinfo', 'utf8'))
    const mount = await latestOf(table, numbers)
    if (mount === null) return ok(null)
    const covering = table.find(({ parentId }) => parentId === mount.id)
    if (covering !== undefined) return busy(`${covering.mountpoint} is mounted on it`)
    const unmounted = await unmount(mount)
    if (!unmounted.ok) {
      const { facts } = unmounted.failure
      return busy('output' in facts ? facts.output : JSON.stringify(facts))
    }
  }
  return busy('it is mounted again and again')
}

async function latestOf(table: readonly Mount[], numbers: ReadonlySet<string>): Promise<Mount | null> {
  for (const mount of table.toReversed()) {
    if (numbers.has(mount.majorMinor)) return mount
    // A btrfs has a number of its own; its source is the kernel's word for the device (fs/btrfs, btrfs_show_devname).
    if (mount.type !== 'btrfs') continue
    const node = await stat(mount.source, { bigint: true }).catch(() => null)
    if (node?.isBlockDevice() === true && numbers.has(deviceNumber(node.rdev))) return mount
  }
  return null
}

/**
 * Unmounts by the name in the folder that holds the mount point, and only when that name leads to this mount: folders
 * on the way may be the user's, who could put a link in the place of one. The name itself cannot be exchanged while
 * something is mounted there (rename(2), EBUSY).
 */
async function unmount(mount: Mount): Promise<Result<null>> {
  const name = basename(mount.mountpoint)
  const elsewhere = fail('tool-failed', {
    tool: 'umount',
    exitCode: null,
    output: `${mount.mountpoint} is elsewhere`,
  })
  const folder = await open(dirname(mount.mountpoint), O_PATH | constants.O_DIRECTORY).catch(() => null)
  if (folder === null || name === '') return elsewhere
  try {
    const path = `/proc/${process.pid}/fd/${folder.fd}`
    if ((await mountIdOf(`${path}/${name}`)) !== mount.id) return elsewhere
    const done = await runTool('umount', ['--no-canonicalize', '--', `./${name}`], path)
    return done.ok ? ok(null) : done
  } finally {
    await folder.close()
  }
}

/** Id of the mount that a path leads to (proc(5), "/proc/[pid]/fdinfo": mnt_id); null when it leads nowhere. */
async function mountIdOf(path: string): Promise<string | null> {
  const place = await open(path, O_PATH | constants.O_NOFOLLOW).catch(() => null)
  if (place === null) return null
  try {
    const facts = await readFile(`/proc/self/fdinfo/${place.fd}`, 'utf8')
    return /^mnt_id:\s*(\d+)$/m.exec(facts)?.[1] ?? null
  } finally {
    await place.close()
  }
}
