import type { Equipment, ImageFacts } from '../../shared/image'
import { isLoginShell, parsePasswd, setsUpInterface, usersWithPassword } from './parse'
import type { TreeFiles } from './tree-files'

const MIB = 1024 * 1024
/** Users whose folders are looked into. */
const USER_LIMIT = 20
/** Files of a new user's home, and bytes of each. */
const SKELETON_LIMIT = 20
const SKELETON_FILE_LIMIT = 64 * 1024
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
    hostname: TextFile | null
    hosts: TextFile | null
    fstab: TextFile | null
    /** ifupdown's, with what it says of interfaces. */
    interfaces: TextFile | null
    /** Whether /etc/resolv.conf says something of the image's own: a link, or a file with more than comments. */
    hasResolver: boolean
    /** What a new user's home begins with (useradd(8), `SKEL_DIR`); paths in it. */
    skeleton: readonly (TextFile & { path: string })[]
    /** Those of `soughtPaths` that are there. */
    present: readonly string[]
    /** Units of systemd that the image has masked, as images made for containers do. */
    masked: readonly string[]
  }
}

/**
 * The host name in which Debian's images are built (debuerreotype-init). It is left in them together with a resolv.conf;
 * no container ever sees the two, but an archive of the image holds them.
 */
const BUILDER = 'debuerreotype'

/** Files that settings change, or that decide how. */
const textPaths = {
  passwd: '/etc/passwd',
  shadow: '/etc/shadow',
  group: '/etc/group',
  gshadow: '/etc/gshadow',
  inittab: '/etc/inittab',
  hostname: '/etc/hostname',
  hosts: '/etc/hosts',
  fstab: '/etc/fstab',
  interfaces: '/etc/network/interfaces',
} as const

/** What decides how a setting is made, or what else the machine needs. */
const soughtPaths = [
  '/bin/bash',
  '/etc/init.d/agetty',
  '/lib/systemd/system/console-setup.service',
  '/lib/systemd/system/ssh.service',
  '/usr/bin/ssh-keygen',
] as const

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
  // What all distributions have of it, however their packages are cut: Realtek's, Qualcomm's, AMD's.
  firmware: ['/lib/firmware/rtw88', '/lib/firmware/ath10k', '/lib/firmware/amdgpu'],
  // Chrony's; that of ntp, ntpsec and openntpd; systemd's.
  'time-daemon': [
    ...['/usr/sbin/chronyd', '/usr/sbin/ntpd'],
    ...['/usr/lib/systemd/systemd-timesyncd', '/lib/systemd/systemd-timesyncd'],
  ],
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

  async function texts<const Name extends string>(
    names: Readonly<Record<Name, string>>,
  ): Promise<Record<Name, TextFile | null>> {
    const entries = Object.entries<string>(names).map(async ([name, path]) => [name, await textFile(path)])
    return Object.fromEntries(await Promise.all(entries)) as Record<Name, TextFile | null>
  }

  const [texted, hasResolver, skeleton, present, masked, installed, equipment, network] = await Promise.all([
    texts(textPaths),
    isResolverNamed(files),
    skeletonOf(files, textFile),
    filter(soughtPaths, isThere),
    filter(maskedInContainers, async (unit) => {
      const entry = await files.stat(`/etc/systemd/system/${unit}`)
      return entry?.kind === 'link' && entry.target === '/dev/null'
    }),
    filter(managers, ([, path]) => isThere(path)),
    filter(Object.keys(equipmentPaths) as Equipment[], (name) => anyOf(equipmentPaths[name])),
    findNetwork(files, init),
  ])

  const isBuilders = texted.hostname?.text.trim() === BUILDER
  const named = isBuilders ? { ...texted, hostname: null } : texted
  const accounts = parsePasswd(named.passwd?.text ?? '').filter(({ shell }) => isLoginShell(shell))
  const withPassword = usersWithPassword(named.shadow?.text ?? '')
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
    files: { ...named, hasResolver: hasResolver && !isBuilders, skeleton, present, masked },
  }
}

/** Whether /etc/resolv.conf says something: it leads elsewhere, or has a line that is no comment and that no engine wrote. */
async function isResolverNamed(files: TreeFiles): Promise<boolean> {
  const path = '/etc/resolv.conf'
  const entry = await files.stat(path)
  if (entry?.kind !== 'file') return entry?.kind === 'link'
  const lines = ((await files.read(path, MIB))?.toString('latin1') ?? '').split('\n')
  // What a container was given and somebody packed with it (moby, daemon/libnetwork/internal/resolvconf).
  if (lines.some((line) => line.startsWith('# Generated by Docker Engine'))) return false
  return lines.some((line) => /^[^#;\s]/.test(line.trimStart()))
}

async function skeletonOf(
  files: TreeFiles,
  textFile: (path: string) => Promise<TextFile | null>,
): Promise<MachineFacts['files']['skeleton']> {
  const paths: string[] = []
  for await (const { name } of files.list('/etc/skel', MIB)) {
    // The folder's own name comes first.
    const parts = name.split('/').slice(1)
    if (parts.length > 0 && !parts.some((part) => ['', '.', '..'].includes(part))) paths.push(parts.join('/'))
    if (paths.length === SKELETON_LIMIT) break
  }
  const found = await Promise.all(
    paths.map(async (path) => {
      const file =
        (await files.stat(`/etc/skel/${path}`))?.kind === 'file' ? await textFile(`/etc/skel/${path}`) : null
      return file === null || file.text.length > SKELETON_FILE_LIMIT ? [] : [{ path, ...file }]
    }),
  )
  return found.flat()
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
