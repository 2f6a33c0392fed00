import type { Equipment, ImageFacts } from '../../shared/image'
import { isLoginShell, parsePasswd, setsUpInterface, usersWithPassword } from './parse'
import type { TreeFiles } from './tree-files'

const MIB = 1024 * 1024
/** Users whose folders are looked into. */
const USER_LIMIT = 20
/** PATH_MAX (path_resolution(7)): nothing is found behind a longer one. */
const LONGEST_PATH = 4096

/** A small file of the image as it is. */
export interface TextFile {
  /** Bytes as latin1, so that what is not understood survives. */
  text: string
  /** Permission bits. */
  mode: number
}

/** The parts of the facts that settings of the machine are made from. */
export interface MachineFacts extends Pick<ImageFacts, 'packageManager' | 'network' | 'users' | 'equipment'> {
  files: {
    passwd: TextFile | null
    shadow: TextFile | null
    group: TextFile | null
    gshadow: TextFile | null
    inittab: TextFile | null
    /** Those of `soughtPaths` that are there. */
    present: readonly string[]
    /** Units of systemd that the image has masked, as images made for containers do. */
    masked: readonly string[]
  }
}

/** What decides how a setting is made. */
const soughtPaths = ['/bin/bash', '/lib/systemd/system/ssh.service'] as const

const managers: readonly [NonNullable<ImageFacts['packageManager']>, string][] = [
  ['apt', '/usr/bin/apt-get'],
  ['dnf', '/usr/bin/dnf'],
  ['microdnf', '/usr/bin/microdnf'],
  ['zypper', '/usr/bin/zypper'],
  ['pacman', '/usr/bin/pacman'],
  ['apk', '/sbin/apk'],
]

const equipmentPaths: Record<Equipment, readonly string[]> = {
  sshd: ['/usr/sbin/sshd', '/usr/bin/sshd'],
  sudo: ['/usr/bin/sudo'],
  wpa_supplicant: ['/usr/sbin/wpa_supplicant', '/sbin/wpa_supplicant', '/usr/bin/wpa_supplicant'],
  // The program comes with the C library; what it works on does not.
  localedef: ['/usr/share/i18n/locales/de_DE'],
  setupcon: ['/usr/bin/setupcon', '/bin/setupcon', '/usr/bin/localectl'],
  sfdisk: ['/usr/sbin/sfdisk', '/sbin/sfdisk', '/usr/bin/sfdisk'],
  resize2fs: ['/usr/sbin/resize2fs', '/sbin/resize2fs', '/usr/bin/resize2fs'],
  zoneinfo: ['/usr/share/zoneinfo/Europe/Berlin'],
  'systemd-networkd': ['/usr/lib/systemd/systemd-networkd', '/lib/systemd/systemd-networkd'],
  'systemd-resolved': ['/usr/lib/systemd/systemd-resolved', '/lib/systemd/systemd-resolved'],
  NetworkManager: ['/usr/sbin/NetworkManager', '/usr/bin/NetworkManager'],
  ifup: ['/sbin/ifup', '/usr/sbin/ifup'],
}

/** What images for containers mask so that systemd keeps quiet in them (Red Hat's ubi-init, openSUSE's and others' Dockerfiles). */
const maskedInContainers = [
  'console-getty.service',
  'dev-hugepages.mount',
  'getty.target',
  'getty@.service',
  'sys-fs-fuse-connections.mount',
  'systemd-logind.service',
  'systemd-machine-id-commit.service',
  'systemd-random-seed.service',
  'systemd-remount-fs.service',
  'systemd-udev-trigger.service',
  'systemd-udevd.service',
  'systemd-update-utmp.service',
]

/**
 * What of an image decides how settings of its machine are made.
 * @param files the image's, each answer of which is bounded
 * @param init what was found
 */
export async function machineFacts(files: TreeFiles, init: ImageFacts['init']): Promise<MachineFacts> {
  const isThere = async (path: string): Promise<boolean> => (await files.resolve(path)) !== null
  const anyOf = async (paths: readonly string[]): Promise<boolean> =>
    (await Promise.all(paths.map(isThere))).includes(true)
  async function filter<T>(all: readonly T[], keep: (one: T) => Promise<boolean>): Promise<T[]> {
    const kept = await Promise.all(all.map(keep))
    return all.filter((_, index) => kept[index])
  }
  async function textFile(path: string): Promise<TextFile | null> {
    const entry = await files.resolve(path)
    if (entry?.kind !== 'file' || entry.sizeBytes > MIB) return null
    const bytes = await files.read(path, MIB)
    return bytes === null ? null : { text: bytes.toString('latin1'), mode: entry.permissions }
  }

  const names = ['passwd', 'shadow', 'group', 'gshadow', 'inittab'] as const
  const [[passwd, shadow, group, gshadow, inittab], present, masked, installed, equipment, network] =
    await Promise.all([
      Promise.all(names.map((name) => textFile(`/etc/${name}`))),
      filter(soughtPaths, isThere),
      filter(maskedInContainers, async (unit) => {
        const entry = await files.stat(`/etc/systemd/system/${unit}`)
        return entry?.kind === 'link' && entry.target === '/dev/null'
      }),
      filter(managers, ([, path]) => isThere(path)),
      filter(Object.keys(equipmentPaths) as Equipment[], (name) => anyOf(equipmentPaths[name])),
      findNetwork(files, init),
    ])

  const accounts = parsePasswd(passwd?.text ?? '').filter(({ shell }) => isLoginShell(shell))
  const withPassword = usersWithPassword(shadow?.text ?? '')
  const users = await Promise.all(
    accounts.slice(0, USER_LIMIT).map(async ({ name, id, home }) => ({
      name: Buffer.from(name, 'latin1').toString('utf8'),
      id,
      hasPassword: withPassword.has(name),
      hasKeys:
        home.startsWith('/') && home.length < LONGEST_PATH && (await isThere(`${home}/.ssh/authorized_keys`)),
    })),
  )
  return {
    packageManager: installed[0]?.[0] ?? null,
    network,
    users,
    equipment,
    files: {
      passwd: passwd ?? null,
      shadow: shadow ?? null,
      group: group ?? null,
      gshadow: gshadow ?? null,
      inittab: inittab ?? null,
      present,
      masked,
    },
  }
}

/** What sets up the network when the machine boots: it must be started by the init, and know an interface. */
async function findNetwork(files: TreeFiles, init: ImageFacts['init']): Promise<ImageFacts['network']> {
  const wants = '/etc/systemd/system/multi-user.target.wants'
  const isEnabled = async (service: string): Promise<boolean> =>
    init?.kind === 'systemd' && (await files.stat(`${wants}/${service}`)) !== null
  // Without a file of its own it knows every interface, by DHCP.
  if (await isEnabled('NetworkManager.service')) return 'NetworkManager'
  if (await isEnabled('systemd-networkd.service')) {
    for (const folder of ['/etc/systemd/network', '/run/systemd/network']) {
      for await (const { name } of files.list(folder, MIB)) {
        if (name.endsWith('.network')) return 'systemd-networkd'
      }
    }
  }
  const hasIfup = (await files.resolve('/sbin/ifup')) ?? (await files.resolve('/usr/sbin/ifup'))
  const interfaces = await files.read('/etc/network/interfaces', MIB)
  if (hasIfup !== null && interfaces !== null && setsUpInterface(interfaces.toString('latin1'))) {
    return 'ifupdown'
  }
  return null
}
