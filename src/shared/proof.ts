import { z } from 'zod'

/** The firmware of a machine that is started on a disk; Secure Boot is UEFI that refuses what Microsoft's keys do not vouch for. */
export const machineFirmwares = ['bios', 'uefi', 'secure-boot'] as const
export type MachineFirmware = (typeof machineFirmwares)[number]

/** How the disk is plugged into the machine. A stick is the default because that is what the disk will be. */
export const attachments = ['usb', 'sata', 'nvme', 'virtio'] as const
export type Attachment = (typeof attachments)[number]

/** What a boot can come to. */
export const bootOutcomes = [
  /** A login prompt waits. */
  'login',
  /** The init system says that everything is up, and no login prompt came after it. */
  'target-reached',
  'kernel-panic',
  /** The kernel found no root file system and left a shell of the initramfs. */
  'initramfs-shell',
  /** systemd's emergency or rescue mode. */
  'emergency-shell',
  /** The boot loader stopped at its prompt. */
  'boot-loader-prompt',
  'no-bootable-device',
  /** The firmware or shim refused what is not signed. */
  'secure-boot-refused',
  /** It starts again and again by itself. */
  'keeps-restarting',
  /** The screen shows what cannot be read as text, such as a desktop or a kiosk's page, and nothing else came. */
  'picture',
  /** None of these came in the time given. */
  'hang',
  /** The machine ended before. */
  'ended',
] as const
export type BootOutcome = (typeof bootOutcomes)[number]

/** What one boot has shown. It holds for exactly the file that was booted. */
export const proofSchema = z.object({
  firmware: z.enum(machineFirmwares),
  outcome: z.enum(bootOutcomes),
  /** Milliseconds since 1970. */
  at: z.number(),
  /** From the machine's start to the verdict. */
  milliseconds: z.number(),
  attachment: z.enum(attachments),
  /** What ran the guest's instructions: `kvm`, `hvf` or `tcg`. */
  accelerator: z.string(),
  /** Units that systemd reported as failed, as it called them. */
  failedUnits: z.array(z.string()),
  /** The last rows with text on the screen or the serial port. */
  lines: z.array(z.string()),
  /** Whether a picture of the screen lies beside the disk. */
  picture: z.boolean(),
  /** The file as it was: milliseconds since 1970, with what is below a millisecond, and bytes. */
  file: z.object({ modifiedAt: z.number(), sizeBytes: z.number() }),
})
export type Proof = z.infer<typeof proofSchema>

/** `failing`: it boots, and something that should run in it does not. `unclear`: somebody has to look at the picture. */
export type Verdict = 'boots' | 'failing' | 'unclear' | 'fails'

/** What a boot's outcome says of the disk. */
export function verdictOf(proof: Pick<Proof, 'outcome' | 'failedUnits'>): Verdict {
  if (proof.outcome === 'picture') return 'unclear'
  if (proof.outcome !== 'login' && proof.outcome !== 'target-reached') return 'fails'
  return proof.failedUnits.length === 0 ? 'boots' : 'failing'
}

/** Whether a boot's outcome says that the disk boots, whatever failed in it then. */
export function cameUp(proof: Pick<Proof, 'outcome' | 'failedUnits'>): boolean {
  const verdict = verdictOf(proof)
  return verdict === 'boots' || verdict === 'failing'
}

/**
 * The firmware under which a disk claims to boot, in the order in which they are tried.
 * @param disk its record
 */
export function claimedFirmware(disk: {
  firmware: readonly ('bios' | 'uefi')[]
  secureBoot?: boolean
}): MachineFirmware[] {
  return [...disk.firmware, ...(disk.secureBoot === true ? (['secure-boot'] as const) : [])]
}

/**
 * How a disk can be plugged into a machine of an architecture. The firmware of arm64 machines (edk2 2022.11 of Debian)
 * was seen to find nothing on a SATA drive.
 */
export function attachmentsOf(architecture: 'amd64' | 'arm64'): Attachment[] {
  return attachments.filter((attachment) => architecture === 'amd64' || attachment !== 'sata')
}
