import type { InspectedImage } from '../../source/tree-source'
import type { MachineSettings } from '../../../shared/machine'
import { noEdits, type TreeEdits } from '../edits'
import { shellWord, textFile } from './text'

export const BOOT_SCRIPT = 'etc/slipway/boot'
/** There until the root has grown. */
const GROW_MARK = 'etc/slipway/grow-root'
/** There from before the partition grows until the file system has. */
const GROW_BEGUN = `${GROW_MARK}-begun`

/** New keys in the place of those that every machine of the image would share (ssh-keygen(1), `-A`). */
const sshKeys = ['ssh-keygen -A || failed=1']
const hostKeys = ['rsa', 'dsa', 'ecdsa', 'ed25519'].flatMap((type) => [
  `etc/ssh/ssh_host_${type}_key`,
  `etc/ssh/ssh_host_${type}_key.pub`,
])

/**
 * The root partition and its file system take what is free behind them. By
 * sysfs, because the device's name is the machine's (Documentation/ABI/testing/sysfs-block).
 * Done once, on the first drive that has room. What was begun is completed at
 * the next boot, when the partition may have the room already: resize2fs does
 * nothing to a file system that is as large as its partition (resize2fs(8)).
 */
const growRoot = `
grow_root() {
    number=
    while read -r _ _ device _ point _; do
        if [ "$point" = / ]; then number=$device; fi
    done < /proc/self/mountinfo
    partition=$(readlink -f "/sys/dev/block/$number") || return 1
    [ -e "$partition/partition" ] || return 0
    index=$(cat "$partition/partition")
    end=$(($(cat "$partition/start") + $(cat "$partition/size")))
    disk=/dev/$(basename "$(dirname "$partition")" | tr '!' /)
    # Not for less than 32 MiB: the ends of tables and alignment.
    if [ $(($(cat "$partition/../size") - end)) -ge 65536 ]; then
        touch /${GROW_BEGUN} && sync || return 1
        # A GPT has its copy at the end of the drive, which has moved; other tables have none.
        sfdisk --relocate gpt-bak-std "$disk" >/dev/null 2>&1
        echo ', +' | sfdisk --quiet --no-reread --no-tell-kernel --wipe never -N "$index" "$disk" || return 1
        partx --update --nr "$index" "$disk" || return 1
    fi
    [ -e /${GROW_BEGUN} ] || return 0
    resize2fs "/dev/$(basename "$partition" | tr '!' /)" || return 1
    rm -f /${GROW_MARK} /${GROW_BEGUN}
}
if [ -e /${GROW_MARK} ]; then
    grow_root || failed=1
fi`
  .trim()
  .split('\n')

/** Its name is there only when it is whole, also after the power went; it takes nothing that is not free. */
const swapFile = (bytes: number): string[] =>
  `
make_swap() {
    rm -f /swapfile.new
    free=$(df -Pk / | while read -r _ _ _ available _; do echo "$available"; done | tail -n 1)
    if [ "$free" -lt ${Math.ceil(bytes / 1024)} ]; then
        echo "no room for a swap file of ${bytes} bytes: $free KiB are free"
        return 1
    fi
    (umask 077 && { fallocate -l ${bytes} /swapfile.new || head -c ${bytes} /dev/zero > /swapfile.new; }) \\
        && mkswap /swapfile.new && sync && mv /swapfile.new /swapfile && return 0
    rm -f /swapfile.new
    return 1
}
if [ ! -e /swapfile ]; then
    make_swap || failed=1
fi
if [ -e /swapfile ] && ! grep -q ^/swapfile /proc/swaps; then
    swapon /swapfile || failed=1
fi`
    .trim()
    .split('\n')

/** Debian and others have the descriptions of languages, from which one is made (localedef(1)). */
function language(locale: string): string[] {
  const [, territory = '', charset = 'ISO-8859-1', modifier = ''] =
    /^([^.@]+)(?:\.([^@]+))?(@.*)?$/.exec(locale) ?? []
  const made = `${territory}.${charset.toLowerCase().replaceAll('-', '')}${modifier}`
  return [
    `if ! locale -a 2>/dev/null | grep -qixF ${shellWord(made)}; then`,
    `    localedef -i ${shellWord(territory + modifier)} -f ${shellWord(charset)} ${shellWord(locale)} || failed=1`,
    'fi',
  ]
}

/**
 * What the machine does for itself each time it boots, most of it only once.
 * One script for every init, of what POSIX has and util-linux.
 * @param image what the image has
 * @param machine what was chosen
 * @returns what is added, and the keys that it makes anew; nothing when there is nothing to do
 */
export function bootScript(image: InspectedImage, machine: MachineSettings): TreeEdits {
  const hasKeys = image.equipment.includes('sshd') && image.files.present.includes('/usr/bin/ssh-keygen')
  const steps = [
    hasKeys ? sshKeys : [],
    machine.growRoot ? growRoot : [],
    machine.swapBytes === null ? [] : swapFile(machine.swapBytes),
    machine.locale === null || /^(?:C|POSIX)\b/.test(machine.locale) ? [] : language(machine.locale),
  ].filter((step) => step.length > 0)
  if (steps.length === 0) return noEdits
  const lines = ['#!/bin/sh', '# Written by Slipway.', 'failed=0', ...steps.flat(), 'exit "$failed"']
  return {
    ...noEdits,
    removed: hasKeys ? hostKeys : [],
    added: [
      textFile(BOOT_SCRIPT, lines, 0o755),
      ...(machine.growRoot ? [textFile(GROW_MARK, ['Gone when the root has grown.'])] : []),
    ],
  }
}
