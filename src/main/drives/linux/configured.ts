import { unescapeOctal } from './parse'
import { isOfSystem } from './system-folders'

/** What the system was told to use, in use or not. Texts of files; empty where there are none. */
export interface Configured {
  /** /etc/fstab */
  fstab: string
  /** /etc/crypttab */
  crypttab: string
  /** /proc/cmdline */
  commandLine: string
}

/** A part of the system and how it is named: `/dev/…`, or `UUID=`, `LABEL=`, `PARTUUID=`, `PARTLABEL=`. */
export interface ConfiguredPart {
  /** For people: `/boot`, `swap UUID=…`, `resume=…`. */
  path: string
  spec: string
}

/** A device in fstab(5), crypttab(5) or the kernel's command line; other words name folders, files or servers. */
const specification = /^("?)((?:UUID|LABEL|PARTUUID|PARTLABEL)=.+|\/dev\/.+)\1$/

/**
 * Parts of the system that need not be mounted: a /boot that is mounted only for updates, swap that is off, the
 * partition that holds the memory of a sleeping machine, and what is unlocked for any of them.
 */
export function configuredParts({ fstab, crypttab, commandLine }: Configured): ConfiguredPart[] {
  const wanted: ConfiguredPart[] = []
  for (const [spec = '', mountpoint = '', type = ''] of fieldsOf(fstab)) {
    if (type === 'swap') wanted.push({ path: `swap ${spec}`, spec })
    else if (isOfSystem(mountpoint)) wanted.push({ path: mountpoint, spec })
  }
  // Parameters of the kernel, of dracut (dracut.cmdline(7)), of systemd and of Arch's encrypt hook.
  for (const word of commandLine.trim().split(/\s+/)) {
    const [, name = '', value = ''] = /^([\w.]+)=(.+)$/.exec(word) ?? []
    const id = value.replace(/^luks-/, '').replace(/=.*$/, '')
    if (name === 'root' || name === 'resume')
      wanted.push({ path: word, spec: value.replace(/\/PARTNROFF=.*$/, '') })
    else if (name === 'cryptdevice') wanted.push({ path: word, spec: value.replace(/:.*$/, '') })
    else if (/^(rd\.)?luks\.(uuid|name)$/.test(name)) wanted.push({ path: word, spec: `UUID=${id}` })
  }
  for (const [name = '', spec = '', key = '', options = ''] of fieldsOf(crypttab)) {
    const isUsed = wanted.some((part) => part.spec === `/dev/mapper/${name}`)
    if (options.split(',').includes('noauto') && !isUsed) continue
    const path = `/etc/crypttab ${name}`
    wanted.push({ path, spec })
    // A key on a device of its own: `/key:LABEL=KEYS`.
    const keyDevice = /:((?:UUID|LABEL|PARTUUID|PARTLABEL)=.+|\/dev\/.+)$/.exec(key)?.[1]
    if (keyDevice !== undefined) wanted.push({ path, spec: keyDevice })
  }
  return wanted.flatMap(({ path, spec }) => {
    const device = specification.exec(spec)?.[2]?.replace(/="(.*)"$/, '=$1')
    return device === undefined ? [] : [{ path, spec: device }]
  })
}

/** Fields of each line; comments are left out. */
function fieldsOf(table: string): string[][] {
  return table
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(/\s+/).map(unescapeOctal))
}
