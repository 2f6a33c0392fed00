import type { MachineFacts, TextFile } from '../../source/machine-facts'
import type { AddedEntry } from '../edits'
import { linesOf } from './text'

/*
 * Files in which the image may say something itself. What it says stays; only what is missing is added, and what
 * would be wrong on the new disk is replaced.
 */

/** Fields of a line, without its comment. */
const wordsOf = (line: string): string[] =>
  (line.split('#', 1)[0] ?? '').split(/\s+/).filter((word) => word !== '')

const file = (path: string, lines: readonly string[], mode = 0o644): AddedEntry => ({
  ...{ path, kind: 'file', mode },
  content: Buffer.from(`${lines.join('\n')}\n`, 'latin1'),
})

/**
 * The name that an image gives itself (hostname(5)).
 * @param own its /etc/hostname
 * @returns null when it says none, or one that is none; `localhost` says nothing
 */
export function ownHostname(own: TextFile | null): string | null {
  const name = (own?.text ?? '')
    .split('\n')
    .map((line) => line.trim())
    .find((line) => line !== '' && !line.startsWith('#'))
  if (name === undefined || name === 'localhost') return null
  return /^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,62}[A-Za-z0-9])?$/.test(name) ? name : null
}

/**
 * /etc/hostname and /etc/hosts, as far as they do not say it already (hosts(5)).
 * @param own the image's
 * @param hostname the machine's
 */
export function hostFiles(
  own: Pick<MachineFacts['files'], 'hostname' | 'hosts'>,
  hostname: string,
): AddedEntry[] {
  const lines = linesOf(own.hosts?.text ?? '')
  const words = lines.map(wordsOf)
  const names = new Set(words.flatMap(([, ...namesOfLine]) => namesOfLine))
  const hasAddress = (address: string): boolean => words.some(([first]) => first === address)
  const missing = [
    ...(names.has('localhost') ? [] : ['127.0.0.1 localhost']),
    ...(names.has(hostname) ? [] : [`127.0.1.1 ${hostname}`]),
    ...(hasAddress('::1') ? [] : ['::1 localhost ip6-localhost ip6-loopback']),
  ]
  return [
    ...(ownHostname(own.hostname) === hostname ? [] : [file('etc/hostname', [hostname])]),
    ...(missing.length === 0 ? [] : [file('etc/hosts', [...lines, ...missing], own.hosts?.mode)]),
  ]
}

/**
 * Where the disk's own files lie. Lines for these places name partitions of the disk that the tree came from, which
 * would be waited for, and hide the kernel and the boot loader's files.
 */
const ownPlaces = ['/', '/boot', '/boot/efi', '/efi']

/**
 * /etc/fstab (fstab(5)): the root is the disk's, all else that the image mounts stays.
 * @param own the image's
 * @param rootUuid of the root file system
 */
export function fstab(own: TextFile | null, rootUuid: string): AddedEntry {
  const kept = linesOf(own?.text ?? '').filter((line) => {
    const [, place = ''] = wordsOf(line)
    // What debootstrap writes into a file that nobody has filled in.
    return !ownPlaces.includes(place) && !line.startsWith('# UNCONFIGURED FSTAB')
  })
  return file('etc/fstab', [`UUID=${rootUuid} / ext4 errors=remount-ro 0 1`, ...kept], own?.mode)
}
