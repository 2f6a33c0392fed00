import type { Needed } from '../../../src/main/drives/linux/drives'
import type { DriveAllowance, RefusalReason } from '../../../src/shared/drive'
import { GB, nvmeMounts, nvmeRoot, type Block, type MachineDescription } from '../machine'

/** A machine and what may be written on it. */
export interface Row {
  name: string
  machine: MachineDescription
  needed?: Partial<Needed>
  allowance?: Partial<DriveAllowance>
  /** Reasons by drive; an empty list says that it may be written. */
  verdicts: Record<string, RefusalReason[]>
}

/** Verdict on the drive that `root` puts the system on. */
export const nvme = { '/dev/nvme0n1': ['system', 'not-removable', 'mounted', 'large'] as RefusalReason[] }
/** A machine whose system is on NVMe, and what else it has. */
export const root = (blocks: Block[], mounts: string[] = []): MachineDescription => ({
  blocks: [nvmeRoot(), ...blocks],
  mounts: [...nvmeMounts, ...mounts],
})
export const mmc = (name: string, changes: Partial<Block> = {}): Block => ({
  name,
  tran: 'mmc',
  size: 32 * GB,
  sys: `platform/soc/fe340000.mmc/mmc_host/mmc0/mmc0:0001/block/${name}`,
  ...changes,
})
export const crypt = (name: string, label: string, within: Block[] = []): Block => ({
  name,
  type: 'crypt',
  label,
  within,
})
export const lvm = (name: string, label: string, within: Block[] = []): Block => ({
  name,
  type: 'lvm',
  label,
  within,
})
export const btrfsMember = (name: string, uuid: string): Block => ({ name, fs: 'btrfs', uuid })
export const zfsMember = (name: string, label?: string): Block => ({
  name,
  fs: 'zfs_member',
  ...(label === undefined ? {} : { label }),
})
