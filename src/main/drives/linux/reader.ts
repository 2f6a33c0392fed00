import { readdir, readFile, realpath } from 'node:fs/promises'
import { basename, dirname, join, relative } from 'node:path'
import { ok, type Result } from '../../../shared/failure'
import { configuredParts } from './configured'
import type { BlockFacts, MachineState } from './machine-state'
import { parseMountinfo, parseSwaps } from './parse'
import { runTool } from './tools'

/** Columns that util-linux 2.33 and later has; what sysfs says better is not asked. */
const LSBLK_COLUMNS =
  'NAME,KNAME,PATH,TYPE,TRAN,VENDOR,MODEL,SERIAL,WWN,FSTYPE,LABEL,UUID,PARTLABEL,PARTUUID,FSUSED'

/** sysfs counts in sectors of 512 bytes whatever the drive's own (Documentation/ABI/stable/sysfs-block). */
const SECTOR = 512

/**
 * Reads the state of this machine's block devices.
 * @returns the state; `tool-missing` or `tool-failed` when lsblk does not work
 */
export async function readMachineState(): Promise<Result<MachineState>> {
  const lsblk = await runTool('lsblk', ['--json', '--bytes', '--tree', '--all', '--output', LSBLK_COLUMNS])
  if (!lsblk.ok) return lsblk
  const mountTables = await readMountTables()
  const sources = new Set(mountTables.flatMap((table) => parseMountinfo(table).map((mount) => mount.source)))
  const swaps = await text('/proc/swaps')
  for (const path of parseSwaps(swaps)) sources.add(path)
  const configured = {
    fstab: await text('/etc/fstab'),
    crypttab: await text('/etc/crypttab'),
    commandLine: await text('/proc/cmdline'),
  }
  for (const { spec } of configuredParts(configured)) sources.add(spec)
  return ok({
    lsblk: lsblk.value,
    mountTables,
    swaps,
    blocks: await readBlocks(),
    byId: await readLinks('/dev/disk/by-id'),
    links: await readSources(sources),
    btrfs: await readBtrfs(),
    zfsPools: await directories('/proc/spl/kstat/zfs'),
    zvols: await readVolumes(),
    volumeGroups: await readVolumeGroups(),
    contentsReadable: process.getuid?.() === 0 || (await list('/run/udev/data')).length > 0,
    configured,
  })
}

/**
 * The mount tables of this process, of its parent and of process 1, where they
 * may be read and differ. The parent of the helper is the asking user's: his table can only count against a drive.
 */
async function readMountTables(): Promise<string[]> {
  const paths = ['self', process.ppid, 1].map((id) => `/proc/${id}/mountinfo`)
  const tables = await Promise.all(paths.map(text))
  return tables.filter((table, index) => table !== '' && tables.indexOf(table) === index)
}

async function readBlocks(): Promise<Record<string, BlockFacts>> {
  const blocks: Record<string, BlockFacts> = {}
  const names = await list('/sys/class/block')
  const facts = await Promise.all(names.map(readBlock))
  names.forEach((name, index) => {
    const one = facts[index]
    if (one !== null && one !== undefined) blocks[name] = one
  })
  return blocks
}

/** null when the device went away meanwhile, or is one of the hidden paths of a multipath NVMe drive. */
async function readBlock(name: string): Promise<BlockFacts | null> {
  const folder = join('/sys/class/block', name)
  const read = async (file: string): Promise<string> => (await text(join(folder, file))).trim()
  const majorMinor = await read('dev')
  if (majorMinor === '' || (await read('hidden')) === '1') return null
  const real = await realpath(folder).catch(() => '')
  if (real === '') return null
  const isPartition = (await read('partition')) !== ''
  return {
    majorMinor,
    sizeBytes: Number(await read('size')) * SECTOR,
    removable: (await read('removable')) === '1',
    readOnly: (await read('ro')) === '1',
    diskSequence: (await read('diskseq')) || null,
    partitionOf: isPartition ? basename(dirname(real)) : null,
    startBytes: isPartition ? Number(await read('start')) * SECTOR : null,
    slaves: await list(join(folder, 'slaves')),
    holders: await list(join(folder, 'holders')),
    sysPath: relative('/sys/devices', real),
    hasDevice: (await list(join(folder, 'device'))).length > 0,
    cardType: name.startsWith('mmcblk') ? (await read('device/type')) || null : null,
    backingFile: (await read('loop/backing_file')) || null,
  }
}

/** Kernel names by link name. */
async function readLinks(folder: string): Promise<Record<string, string>> {
  const links: Record<string, string> = {}
  for (const name of await list(folder)) {
    const target = await realpath(join(folder, name)).catch(() => null)
    if (target !== null) links[name] = kernelName(target)
  }
  return links
}

async function readSources(sources: Iterable<string>): Promise<Record<string, string>> {
  const links: Record<string, string> = {}
  for (const source of sources) {
    if (!source.startsWith('/dev/')) continue
    const target = await realpath(source).catch(() => source)
    if (target !== source) links[source] = kernelName(target)
  }
  return links
}

async function readBtrfs(): Promise<Record<string, string[]>> {
  const systems: Record<string, string[]> = {}
  for (const name of await list('/sys/fs/btrfs')) {
    const devices = await list(join('/sys/fs/btrfs', name, 'devices'))
    if (devices.length > 0) systems[name] = devices
  }
  return systems
}

/** ZFS volumes: each has a link `/dev/zvol/POOL/…` (zvol_id of OpenZFS). */
async function readVolumes(): Promise<Record<string, string>> {
  const root = '/dev/zvol'
  const volumes: Record<string, string> = {}
  for (const name of await readdir(root, { recursive: true }).catch(() => [])) {
    const target = kernelName(await realpath(join(root, name)).catch(() => root))
    if (/^zd\d+$/.test(target)) volumes[target] = name.split('/')[0] ?? ''
  }
  return volumes
}

/**
 * A physical volume on which no logical volume lies has no holder, and is a part of its running group nevertheless.
 * Empty where LVM is not installed or this is not root, who alone may read the drives.
 */
async function readVolumeGroups(): Promise<Record<string, string>> {
  if (process.getuid?.() !== 0) return {}
  const told = await runTool('pvs', [
    '--readonly',
    '--noheadings',
    '--separator',
    '\t',
    '-o',
    'pv_name,vg_name',
  ])
  const groups: Record<string, string> = {}
  if (!told.ok) return groups
  for (const line of told.value.split('\n')) {
    const [path = '', group = ''] = line.trim().split('\t')
    if (group === '') continue
    const target = await realpath(path).catch(() => null)
    if (target !== null) groups[kernelName(target)] = group
  }
  return groups
}

/** The kernel writes `/` in device names as `!` in sysfs. */
function kernelName(devicePath: string): string {
  return relative('/dev', devicePath).replaceAll('/', '!')
}

async function text(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '')
}

async function list(path: string): Promise<string[]> {
  return (await readdir(path).catch(() => [])).sort()
}

async function directories(path: string): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => [])
  return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name)
}
