import { z } from 'zod'

/** A device as lsblk shows it; null where it does not know. */
export interface LsblkNode {
  kernelName: string
  name: string
  /** `/dev/mapper/…` for device-mapper devices. */
  path: string
  type: string
  transport: string
  vendor: string
  model: string
  serial: string
  wwn: string
  fileSystem: string | null
  /** The file system's. */
  label: string | null
  partLabel: string | null
  partUuid: string | null
  uuid: string | null
  usedBytes: number | null
  /** Kernel names of the devices that lsblk shows right below it. */
  children: string[]
}

const column = z.union([z.string(), z.number()]).nullish()
const rawNode = z.object({
  name: z.string(),
  kname: z.string(),
  path: z.string().nullish(),
  type: column,
  tran: column,
  vendor: column,
  model: column,
  serial: column,
  wwn: column,
  fstype: column,
  label: column,
  partlabel: column,
  uuid: column,
  partuuid: column,
  fsused: column,
  get children() {
    return z.array(rawNode).optional()
  },
})
type RawNode = z.infer<typeof rawNode>
const rawList = z.object({ blockdevices: z.array(rawNode) })

/**
 * Flattens the output of `lsblk --json --tree`, in which a device with several
 * devices below it appears under each.
 * @returns the devices by kernel name; throws (zod, SyntaxError) when it is not lsblk's JSON
 */
export function parseLsblk(json: string): Map<string, LsblkNode> {
  const nodes = new Map<string, LsblkNode>()
  const visit = (raw: RawNode): void => {
    const kernelName = raw.kname.replaceAll('/', '!')
    const children = (raw.children ?? []).map((child) => child.kname.replaceAll('/', '!'))
    const known = nodes.get(kernelName)
    if (known === undefined) {
      nodes.set(kernelName, {
        kernelName,
        name: raw.name,
        path: raw.path ?? `/dev/${raw.kname}`,
        type: word(raw.type),
        transport: word(raw.tran),
        vendor: word(raw.vendor),
        model: word(raw.model),
        serial: word(raw.serial),
        wwn: word(raw.wwn),
        fileSystem: word(raw.fstype) || null,
        label: word(raw.label) || null,
        partLabel: word(raw.partlabel) || null,
        partUuid: word(raw.partuuid) || null,
        uuid: word(raw.uuid) || null,
        usedBytes: raw.fsused === null || raw.fsused === undefined ? null : Number(raw.fsused),
        children,
      })
    } else known.children.push(...children.filter((child) => !known.children.includes(child)))
    raw.children?.forEach(visit)
  }
  rawList.parse(JSON.parse(json)).blockdevices.forEach(visit)
  return nodes
}

function word(value: string | number | null | undefined): string {
  return value === null || value === undefined ? '' : String(value).trim()
}

/** A line of mountinfo (proc_pid_mountinfo(5)). */
export interface Mount {
  id: string
  /** Id of the mount that it is mounted on. */
  parentId: string
  majorMinor: string
  mountpoint: string
  type: string
  source: string
  /** As the kernel writes them, with its octal escapes. */
  superOptions: string
}

/** Parses /proc/<pid>/mountinfo; lines that are not of its form are left out. */
export function parseMountinfo(table: string): Mount[] {
  const mounts: Mount[] = []
  for (const line of table.split('\n')) {
    const [left, right] = splitOnce(line, ' - ')
    const before = left.split(' ')
    const after = right.split(' ')
    const [id, parentId, majorMinor, , mountpoint] = before
    const [type, source] = after
    if (id === undefined || parentId === undefined || majorMinor === undefined) continue
    if (mountpoint === undefined || type === undefined || source === undefined) continue
    mounts.push({
      id,
      parentId,
      majorMinor,
      mountpoint: unescapeOctal(mountpoint),
      type,
      source: unescapeOctal(source),
      superOptions: after.slice(2).join(' '),
    })
  }
  return mounts
}

/** Parses /proc/swaps: the paths of the devices and files in use. */
export function parseSwaps(table: string): string[] {
  return table
    .split('\n')
    .slice(1)
    .map((line) => unescapeOctal(line.split(/\s/)[0] ?? ''))
    .filter((path) => path !== '')
}

/** The directories that an overlay is made of (kernel Documentation/filesystems/overlayfs.rst); relative ones are left out. */
export function overlayFolders(superOptions: string): string[] {
  const folders: string[] = []
  for (const option of superOptions.split(',')) {
    const [key, value] = splitOnce(option, '=')
    const text = unescapeOctal(value)
    if (key === 'lowerdir') folders.push(...(text.match(/(?:\\.|[^:\\])+/g) ?? []).map(unescapeBackslash))
    else if (key === 'upperdir' || key === 'workdir') folders.push(unescapeBackslash(text))
    else if (key === 'lowerdir+' || key === 'datadir+') folders.push(text)
  }
  return folders.filter((folder) => folder.startsWith('/'))
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator)
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + separator.length)]
}

/** In an overlay's options a colon or comma that is part of a name stands behind a backslash (fs/overlayfs, ovl_unescape). */
function unescapeBackslash(text: string): string {
  return text.replace(/\\(.)/g, '$1')
}

/** The kernel writes blank, tab, newline and backslash as octal, bytewise; fstab(5) does so too. */
export function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8)))
}
