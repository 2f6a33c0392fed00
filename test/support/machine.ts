import type { BlockFacts, MachineState } from '../../src/main/drives/linux/machine-state'

/** A block device of a machine to be judged. What is left out is what a plain one has. */
export interface Block {
  name: string
  /** Bytes; 8 GB when left out. */
  size?: number
  /** lsblk's TYPE; `disk` for the outermost, `part` for those within. */
  type?: string
  tran?: string | null
  vendor?: string
  model?: string
  serial?: string
  fs?: string
  label?: string
  uuid?: string
  partUuid?: string
  partLabel?: string
  wwn?: string
  used?: number
  rm?: boolean
  ro?: boolean
  /** Below /sys/devices. */
  sys?: string
  /** `MMC` or `SD`. */
  card?: string
  backing?: string
  seq?: string
  within?: Block[]
}

export interface MachineDescription {
  blocks: Block[]
  /** `source mountpoint type [super options]`; the first table is the machine's. */
  mounts: string[]
  /** The table of another mount namespace. */
  otherMounts?: string[]
  swaps?: string[]
  links?: Record<string, string>
  byId?: Record<string, string>
  btrfs?: Record<string, string[]>
  zfsPools?: string[]
  /** Pool by the kernel name of its volume. */
  zvols?: Record<string, string>
  /** Lines of /etc/fstab and /etc/crypttab. */
  fstab?: string[]
  crypttab?: string[]
  commandLine?: string
  /** Whether file systems, labels and ids can be read; they can when left out. */
  contentsReadable?: boolean
  /** Volume group by the kernel name of its physical volume. */
  volumeGroups?: Record<string, string>
}

export const GB = 1_000_000_000

/** A USB stick with one FAT partition, changed as the test needs it. */
export function usbStick(name: string, changes: Partial<Block> = {}): Block {
  const plain = {
    tran: 'usb',
    vendor: 'SanDisk',
    model: 'Ultra',
    serial: '4C530001',
    rm: true,
    size: 32 * GB,
  }
  const sys = `pci0000:00/0000:00:14.0/usb1/1-2/1-2:1.0/host4/target4:0:0/4:0:0:0/block/${name}`
  return { name, ...plain, sys, within: [{ name: `${name}1`, fs: 'vfat', label: 'PHOTOS' }], ...changes }
}

/** An NVMe drive with an EFI partition and an ext4 root, as most machines have. */
export function nvmeRoot(): Block {
  return {
    name: 'nvme0n1',
    tran: 'nvme',
    model: 'Samsung SSD 980',
    size: 500 * GB,
    sys: 'pci0000:00/0000:00:1d.0/0000:01:00.0/nvme/nvme0/nvme0n1',
    within: [
      { name: 'nvme0n1p1', fs: 'vfat' },
      { name: 'nvme0n1p2', fs: 'ext4' },
    ],
  }
}

export const nvmeMounts = ['/dev/nvme0n1p2 / ext4', '/dev/nvme0n1p1 /boot/efi vfat']

/** A SATA drive. */
export function sataDisk(name: string, changes: Partial<Block> = {}): Block {
  const sys = `pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0/block/${name}`
  return {
    name,
    tran: 'sata',
    vendor: 'ATA',
    model: 'WDC WD10',
    serial: 'WD-1',
    size: 100 * GB,
    sys,
    ...changes,
  }
}

const virtual = /^(loop|zram|zd|ram|nbd|dm-|md|bcache|fd|mtdblock|rbd|drbd)/

/** Builds what a machine's reader would have read, in the form in which the kernel and lsblk 2.38 give it. */
export function machine(description: MachineDescription): MachineState {
  const blocks: Record<string, BlockFacts> = {}
  const paths: Record<string, string> = {}
  let minor = 0

  function add(block: Block, above: Block | null): object {
    const type = block.type ?? (above === null ? 'disk' : 'part')
    const isPart = type === 'part'
    const known = blocks[block.name]
    if (known === undefined) {
      minor += 1
      const parentSys = above === null ? '' : (blocks[above.name]?.sysPath ?? '')
      blocks[block.name] = {
        majorMinor: `8:${minor}`,
        sizeBytes: block.size ?? 8 * GB,
        removable: block.rm ?? false,
        readOnly: block.ro ?? false,
        diskSequence: isPart ? null : (block.seq ?? String(minor)),
        partitionOf: isPart ? (above?.name ?? null) : null,
        startBytes: isPart ? minor * 1024 * 1024 : null,
        slaves: !isPart && above !== null ? [above.name] : [],
        holders: [],
        sysPath: block.sys ?? (isPart ? `${parentSys}/${block.name}` : `virtual/block/${block.name}`),
        hasDevice: !isPart && !virtual.test(block.name),
        cardType: block.card ?? null,
        backingFile: block.backing ?? null,
      }
      const isMapped = ['crypt', 'lvm', 'mpath', 'dm'].includes(type)
      paths[isMapped ? `/dev/mapper/${block.label ?? block.name}` : `/dev/${block.name}`] = block.name
    } else if (!isPart && above !== null) known.slaves.push(above.name)
    if (!isPart && above !== null) blocks[above.name]?.holders.push(block.name)
    const path = Object.keys(paths).find((key) => paths[key] === block.name)
    return {
      name: path?.replace(/^\/dev\/(mapper\/)?/, ''),
      kname: block.name,
      path,
      type,
      tran: block.tran ?? null,
      vendor: block.vendor ?? null,
      model: block.model ?? null,
      serial: block.serial ?? null,
      wwn: block.wwn ?? null,
      fstype: block.fs ?? null,
      label: block.label ?? null,
      partlabel: block.partLabel ?? null,
      uuid: block.uuid ?? null,
      partuuid: block.partUuid ?? null,
      fsused: block.used === undefined ? null : String(block.used),
      ...(block.within === undefined ? {} : { children: block.within.map((inner) => add(inner, block)) }),
    }
  }

  const lsblk = JSON.stringify({ blockdevices: description.blocks.map((block) => add(block, null)) })
  const anonymous = /^(btrfs|overlay|zfs|tmpfs|nfs4?|bcachefs|fuse\..*|9p|squashfs-in-memory|aufs)$/
  const table = (mounts: string[]): string =>
    mounts
      .map((line, index) => {
        const [source = '', mountpoint = '', type = '', options = 'rw'] = line.split(' ')
        const name = paths[source] ?? description.links?.[source]
        const number =
          anonymous.test(type) || name === undefined ? `0:${30 + index}` : blocks[name]?.majorMinor
        return `${index + 20} 1 ${number ?? ''} / ${mountpoint} rw,relatime shared:1 - ${type} ${source} ${options}\n`
      })
      .join('')
  const swapLine = (path: string): string => `${path}\tpartition\t1000\t0\t-2\n`
  return {
    lsblk,
    mountTables: [
      description.mounts,
      ...(description.otherMounts === undefined ? [] : [description.otherMounts]),
    ].map(table),
    swaps: `Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n${(description.swaps ?? []).map(swapLine).join('')}`,
    blocks,
    byId: description.byId ?? {},
    links: description.links ?? {},
    btrfs: description.btrfs ?? {},
    zfsPools: description.zfsPools ?? [],
    volumeGroups: description.volumeGroups ?? {},
    zvols: description.zvols ?? {},
    contentsReadable: description.contentsReadable ?? true,
    configured: {
      fstab: (description.fstab ?? []).join('\n'),
      crypttab: (description.crypttab ?? []).join('\n'),
      commandLine: description.commandLine ?? '',
    },
  }
}
