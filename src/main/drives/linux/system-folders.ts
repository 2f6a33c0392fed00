/**
 * Folders of the running system: what is mounted on one or below it is the
 * system's. The last ones are where live systems keep their medium.
 */
const systemFolders =
  /^\/(boot|efi|usr|var|home|root|etc|opt|srv|nix|gnu|snap|ostree|sysroot|cdrom|rofs|isodevice|lib\/live|run\/(live|initramfs|archiso|miso))(\/|$)/

/** Whether what is mounted there is a part of the running system. */
export function isOfSystem(mountpoint: string): boolean {
  return mountpoint === '/' || systemFolders.test(mountpoint)
}
