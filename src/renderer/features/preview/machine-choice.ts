import type { HostState, ListedDisk } from '../../../shared/ipc/contract'
import { defaultMemoryBytes, defaultProcessors, type MachineChoice } from '../../../shared/preview'
import { claimedFirmware } from '../../../shared/proof'

/** The machine that a disk is previewed on when nobody chose: the disk as a stick, under the first firmware that it claims. */
export function defaultChoice(disk: ListedDisk, host: HostState | undefined): MachineChoice {
  return {
    firmware: claimedFirmware(disk)[0] ?? 'bios',
    attachment: 'usb',
    memoryBytes: defaultMemoryBytes,
    processors: Math.min(defaultProcessors, host?.processors ?? defaultProcessors),
    keepChanges: false,
  }
}
