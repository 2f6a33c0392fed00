import { execa } from 'execa'
import { mkdir, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeExt4Disk } from './ext4-disk'
import { fillWithOldData, type Plug, type Stick } from './sticks'
import { BOOT_TEXT } from './sticks-image'
import { writeTinyDisk } from './tiny-disk'

const MIB = 1024 * 1024
const STICK_BYTES = 64 * MIB
/** Bytes a second: slow enough to be disturbed in the middle of a write. */
export const SLOW = 1_000_000
/** Bytes a second: so slow that a write lasts until another program has come up, and too fast for the kernel's timeouts. */
export const CRAWLING = 100_000
/** Bytes a second: no limit that would be noticed. */
export const FAST = 100_000_000

/** Where everything lies that these tests make. */
export const FOLDER = join(tmpdir(), `slipway-sticks-${process.pid}`)

/** The path of a disk or stick in it. */
export const inFolder = (name: string): string => join(FOLDER, `${name}.img`)
const at = (port: number, serial: string): Plug => ({ kind: 'stick', port, serial })

function stick(name: string, plug: Plug, changes: Partial<Stick> = {}): Stick {
  return { name, plug, file: inFolder(name), ...changes }
}

/** A maker's and a model's name that mean harm to shells and terminals. */
const hostile = { vendor: 'A"$(id)\n', model: '\u202e`;\\e\u001b[31m' }
/** What the guest boots from. */
export const root = stick('root', at(1, 'ROOT'))
/** What is plugged in when it does. */
export const plugged = {
  target: stick('target', at(2, 'TARGET')),
  firstTwin: stick('firstTwin', at(3, 'TWIN')),
  secondTwin: stick('secondTwin', at(4, 'TWIN')),
  mounted: stick('mounted', at(5, 'MOUNTED')),
  mapped: stick('mapped', at(6, 'MAPPED')),
  looped: stick('looped', at(7, 'LOOPED')),
  swap: stick('swap', at(8, 'SWAP')),
  locked: stick('locked', at(9, 'LOCKED'), { readOnly: true }),
  small: stick('small', at(10, 'SMALL')),
  large: stick('large', at(11, 'LARGE')),
  reader: stick('reader', { kind: 'reader', port: 12, ...hostile }),
  slow: stick('slow', at(13, 'SLOW'), { bytesPerSecond: SLOW }),
  failing: stick('failing', at(14, 'FAILING'), { failsAt: 10 * MIB }),
  held: stick('held', at(15, 'HELD')),
  internal: stick('internal', { kind: 'sata' }),
  card: stick('card', { kind: 'card' }),
}
/** Sticks that come later, in the place of another one and just like it; and a medium for the reader. */
export const later = {
  slowAgain: stick('slowAgain', at(13, 'SLOW'), { bytesPerSecond: SLOW }),
  heldAgain: stick('heldAgain', at(15, 'HELD')),
  medium: stick('medium', { kind: 'reader', port: 12, ...hostile }),
  lastMedium: stick('lastMedium', { kind: 'reader', port: 12, ...hostile }),
}
/** All drives but the one that the guest runs from. */
export const others = [...Object.values(plugged), ...Object.values(later)]

/** Makes the sticks' files, full of old data. */
export async function makeSticks(): Promise<void> {
  for (const { file } of others) await fillWithOldData(file, STICK_BYTES)
  await fillWithOldData(plugged.small.file, 8 * MIB)
  await writeFile(plugged.large.file, '')
  await truncate(plugged.large.file, 130 * 1024 * MIB)
  const tree = join(FOLDER, 'mounted')
  await mkdir(tree)
  await writeTinyDisk(join(tree, 'disk.img'), BOOT_TEXT)
  await makeExt4Disk(plugged.mounted.file, tree, 60 * MIB, ['-L', 'PHO\u202eTOS'])
  await execa('mkswap', [plugged.swap.file])
}

/** Shell words for the device of the guest's stick at the port `$1`. */
export const DEVICE_AT = 'readlink -f /sys/bus/usb/devices/*-$1/*/host*/target*/*/block/* | sed s,.*/,/dev/,'
/** Where somebody mounted a stick. */
export const MOUNTPOINT = "/media/it's $(id)\ntwo"
/** As it is shown: without the control character. */
export const SHOWN_MOUNTPOINT = "/media/it's $(id)two"
/** A disk on that stick. */
export const DISK_ON_STICK = `${MOUNTPOINT}/disk.img`

/** What people do with sticks; nothing of it writes to one. */
export const STATES = `
at() { ${DEVICE_AT}; }
folder='${MOUNTPOINT.replace("'", "'\\''")}'
mkdir -p "$folder"
mount -o ro,noload "$(at 5)1" "$folder"
dmsetup create mapped --readonly --table "0 1000 linear $(at 6) 0"
losetup --read-only /dev/loop5 "$(at 7)"
sysctl -q vm.swappiness=0
swapon "$(at 8)"
`
