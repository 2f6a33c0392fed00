import type { CommandName } from './arguments'

const exitCodes = `Exit codes: 0 done, 1 failed, 2 wrong usage, 3 refused (a guard, or no permission), 4 not proven (prove),
130 cancelled.
With --json one object is written to stdout at the end, and progress as one JSON object a line to stderr.`

const machineHelp = `  --attachment HOW     usb (when not given), sata, nvme or virtio
  --memory SIZE        of the machine, 1G when not given
  --processors N       2 when not given`

const topics: Record<CommandName, string> = {
  images: `slipway images [--json]

Lists the local images of the Docker Engine, newest first.`,
  prepare: `slipway prepare IMAGE --print [--machine FILE] [--json]

Shows the Dockerfile by which “slipway build --prepare” would make the image
bootable: what it lacks, and what the settings in FILE need.`,
  build: `slipway build IMAGE -o DISK [--prepare | --prepare-anew] [--dockerfile FILE] [--machine FILE]
              [--size SIZE] [--table mbr|gpt] [--no-boot] [--manifest] [--prove]
              [--engine kernel|direct]
              [--kernel-arguments WORDS] [--json]
slipway build --archive PATH [--name NAME] [--platform OS/ARCHITECTURE] -o DISK …
slipway build --rootfs TAR -o DISK …
slipway build IMAGE --onto DEVICE [--confirm TEXT] …

Makes a disk that boots from a local Docker image; or from an archive of
images or a root file system in a tar, which need no Docker. Nothing of it is
ever started.

  --archive PATH      what docker save wrote, or an OCI layout (a tar or a folder), instead of IMAGE
  --name NAME         which of its images, as REPOSITORY:TAG or id; --platform linux/amd64 when not given
  --rootfs TAR        a tar of a root file system, instead of IMAGE; it may be packed by gzip, zstd or xz
  -o, --output DISK   the file to make; nothing may be there yet. Its name's ending is its format:
                      .qcow2 .vmdk .vdi .vhdx (by qemu-img), .gz .xz .zst, and raw for all others
  --onto DEVICE       builds straight onto a drive, which erases all that is on it, with no file in between; may be
                      given several times. Asks, and takes the same options, as slipway flash
  --prepare           adds what the image lacks to boot, by docker build; IMAGE stays as it is
  --prepare-anew      the same, although it was done before: with packages of today
  --dockerfile FILE   prepares it by this Dockerfile, whose FROM is the image; slipway prepare --print shows one
  --machine FILE      settings of the machine as JSON, such as {"hostname": "kiosk", "sshServer": true};
                      passwords as crypt hashes, as openssl passwd -6 makes them
  --size SIZE         of the disk: 4G counts in 1024, 4GB in 1000; content plus headroom when not given
  --table TABLE       mbr (when not given) or gpt
  --no-boot           a data disk: the files as they are, no boot loader, no kernel needed
  --prove             then boots it, and answers, as slipway prove DISK
  --manifest          also writes DISK.files.sha256, for: sha256sum -c
  --engine ENGINE     kernel: the kernel's own file system, as administrator
  --kernel-arguments WORDS
                      more for the kernel's command line, such as 'console=tty0 console=ttyS0'`,
  preview: `slipway preview DISK [--firmware FIRMWARE] [--attachment HOW] [--memory SIZE]
                [--processors N] [--port [HOST:]GUEST]... [--keep-changes]
                [--until-login] [--picture FILE] [--timeout SECONDS] [--json]

Boots the disk in QEMU. The disk stays as it is. Without --until-login the
machine's serial port is this terminal, until the machine ends or Ctrl-].

${machineHelp}
  --firmware FIRMWARE  bios, uefi or secure-boot; the first that the disk claims when not given
  --port [HOST:]GUEST  lets this computer reach a TCP port of the machine on 127.0.0.1
  --keep-changes       the machine writes to the disk's file; what was proven of it is forgotten
  --until-login        waits for a login prompt and ends; fails when none comes
  --timeout SECONDS    how long to wait for it, 300 when not given
  --picture FILE       saves the last screen as PNG`,
  prove: `slipway prove DISK [--firmware FIRMWARE]... [--attachment HOW] [--memory SIZE]
              [--processors N] [--timeout SECONDS] [--json]

Boots the disk in QEMU without a window under each firmware that it claims,
and decides by its screen and serial port what each boot came to. The verdicts,
with a picture of the screen, are kept with a disk that Slipway built. Fails
when one boot did not come up. Exit code 4: none failed, but one shows only a
picture without text, or its firmware is not installed here.

${machineHelp}
  --firmware FIRMWARE  only this: bios, uefi or secure-boot; may be given again
  --timeout SECONDS    after which a boot counts as hung, 300 when not given`,
  drives: `slipway drives [--json]

Lists the drives, and for each whether it may be written.`,
  flash: `slipway flash DISK DEVICE… [--confirm TEXT]… [--unmount] [--everything]
              [--expert [--confirm-device NAME]…] [--no-verify] [--eject] [--json]

Writes the disk to one or more drives, which erases all that is on them, and
compares what was written. Asks for each drive's name to be typed. DISK may be
a disk or an ISO image, one compressed with gzip, xz, zstd or zip, or qcow2.
Several drives are written at once from one reading; one that fails does not
stop the others. A disk with a GUID partition table gets its second table at
the drive's end.

  --confirm TEXT  a drive's name, for scripts; once for each, in their order
  --unmount       unmounts what is mounted of the drives first
  --everything    writes also what no file system uses; what lies behind the
                  disk's end stays as it is
  --expert        allows drives that are built in or larger than 128 GB; asks
                  for the device name (sda) as well
  --confirm-device NAME
                  that device name, for scripts
  --no-verify     does not compare
  --eject         takes USB drives away from the system when they are written`,
}

/** The help on one command, or on all of them. */
export function helpText(topic: CommandName | null): string {
  if (topic !== null) return `${topics[topic]}\n\n${exitCodes}\n`
  return `Slipway turns a local Docker image into a disk that boots, previews it, and writes it to a stick.

${Object.values(topics)
  .map((text) => `  ${text.split('\n\n')[0]?.replace(/\s+/g, ' ') ?? ''}`)
  .join('\n')}
  slipway --version

More on one of them: slipway help COMMAND

${exitCodes}
`
}
