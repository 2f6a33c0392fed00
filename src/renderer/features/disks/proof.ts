import type { DiskRecord } from '../../../shared/disk'
import { claimedFirmware, verdictOf, type MachineFirmware, type Proof } from '../../../shared/proof'
import { formatDuration } from '../../../shared/amounts'
import { firmwareTitles } from '../../../shared/sentences'

type ProvenDisk = Pick<DiskRecord, 'firmware' | 'proofs'>

/** What there is to say about a disk under one firmware; `proof` is null while it was never booted so. */
export interface FirmwareProof {
  firmware: MachineFirmware
  proof: Proof | null
}

/** The firmware that a disk claims, and any other under which it was booted, with what that has shown. */
export function firmwareProofs(disk: ProvenDisk): FirmwareProof[] {
  const claimed = claimedFirmware(disk)
  const others = disk.proofs.map(({ firmware }) => firmware).filter((firmware) => !claimed.includes(firmware))
  return [...claimed, ...others].map((firmware) => ({
    firmware,
    proof: disk.proofs.find((proof) => proof.firmware === firmware) ?? null,
  }))
}

/** What boots of the disk have shown, in a few words: `boots, 38 s`, `boots under UEFI, 38 s`, `shows a picture under UEFI`, `unproven`. */
export function proofWords(disk: ProvenDisk): string {
  const failed = disk.proofs.filter((proof) => verdictOf(proof) === 'fails')
  if (failed.length > 0) return `does not boot under ${firmwareNames(failed.map(({ firmware }) => firmware))}`
  if (disk.proofs.length === 0) return disk.firmware.length === 0 ? 'data alone' : 'unproven'
  const unclear = disk.proofs.filter((proof) => verdictOf(proof) === 'unclear')
  if (unclear.length > 0)
    return `shows a picture under ${firmwareNames(unclear.map(({ firmware }) => firmware))}`
  const time = formatDuration(Math.max(...disk.proofs.map(({ milliseconds }) => milliseconds)))
  const proven = firmwareProofs(disk).filter(({ proof }) => proof !== null)
  const under =
    proven.length === firmwareProofs(disk).length
      ? ''
      : ` under ${firmwareNames(proven.map(({ firmware }) => firmware))}`
  const units = disk.proofs.some((proof) => verdictOf(proof) === 'failing') ? ', with failed units' : ''
  return `boots${under}, ${time}${units}`
}

/** `BIOS and UEFI` */
export function firmwareNames(firmware: readonly MachineFirmware[]): string {
  return firmware.map((name) => firmwareTitles[name]).join(' and ')
}
