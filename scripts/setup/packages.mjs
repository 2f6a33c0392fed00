import { existsSync, readFileSync } from 'node:fs'
import { canBeRoot, findProgram, run, runAsRoot } from './run.mjs'
import { agreed, say } from './talk.mjs'

/**
 * What is wanted from the system: in words, how it is recognised, and Debian's packages for it (`a|b` is the
 * first of the two names that this release knows).
 * @typedef {{ what: string, present: () => boolean | Promise<boolean>, packages: string[] }} Need
 */

const have = (name) => findProgram(name) !== null

/** @type {Need[]} for building, previewing and writing disks */
const MACHINE_NEEDS = [
  {
    what: 'Docker Engine',
    present: () => have('dockerd') && have('docker'),
    packages: ['docker.io', 'docker-cli|docker.io'],
  },
  {
    what: 'QEMU',
    present: () => have('qemu-system-x86_64') && have('qemu-img'),
    packages: ['qemu-system-x86', 'qemu-utils'],
  },
  {
    what: 'UEFI firmware for QEMU',
    present: () => existsSync('/usr/share/OVMF/OVMF_CODE_4M.fd'),
    packages: ['ovmf'],
  },
  { what: 'ext4 tools', present: () => have('mkfs.ext4') && have('e2fsck'), packages: ['e2fsprogs'] },
  { what: 'loop device tools', present: () => have('losetup') && have('mount'), packages: ['mount'] },
  { what: "the engine's network", present: () => have('ip'), packages: ['iproute2'] },
  {
    what: 'the boot loader',
    present: () => have('extlinux') && existsSync('/usr/lib/syslinux/mbr/mbr.bin'),
    packages: ['extlinux', 'syslinux-common'],
  },
  {
    what: 'the boot loader for UEFI',
    present: () => existsSync('/usr/lib/grub/x86_64-efi/monolithic/grubx64.efi'),
    packages: ['grub-efi-amd64-bin'],
  },
]

/** @type {Need[]} for the window: Electron's shared libraries (its ELF NEEDED entries) and the password dialog */
const WINDOW_NEEDS = [
  {
    what: "Electron's libraries",
    present: electronLibrariesPresent,
    packages: ['libgtk-3-0t64|libgtk-3-0', 'libnss3', 'libasound2t64|libasound2', 'libgbm1', 'libxkbcommon0'],
  },
  { what: 'the rights dialog', present: () => have('pkexec'), packages: ['pkexec', 'polkitd'] },
]

/** @type {Need} for a base image where no image registry can be reached */
const BASE_NEED = {
  what: 'mmdebstrap',
  present: () => have('mmdebstrap'),
  packages: ['mmdebstrap', 'debian-archive-keyring'],
}

/** @type {Need[]} */
const TEST_NEEDS = [
  { what: 'a display without a screen', present: () => have('Xvfb'), packages: ['xvfb'] },
  {
    what: 'the message bus and polkit',
    present: () => have('dbus-daemon') && existsSync('/usr/lib/polkit-1/polkitd'),
    packages: ['dbus', 'polkitd'],
  },
  {
    what: 'FAT tools',
    present: () => have('mcopy') && have('fsck.vfat'),
    packages: ['mtools', 'dosfstools'],
  },
  {
    what: 'the signed boot loaders, for Secure Boot',
    present: () =>
      existsSync('/usr/lib/shim/shimx64.efi.signed') &&
      existsSync('/usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed'),
    packages: ['shim-signed', 'grub-efi-amd64-signed'],
  },
  {
    what: 'QEMU for arm64, with its firmware',
    present: () => have('qemu-system-aarch64') && existsSync('/usr/share/AAVMF/AAVMF_CODE.fd'),
    packages: ['qemu-system-arm', 'qemu-efi-aarch64'],
  },
  {
    what: 'partition tools',
    present: () => have('sfdisk') && have('sgdisk'),
    packages: ['fdisk', 'gdisk'],
  },
  { what: "libarchive's tar", present: () => have('bsdtar'), packages: ['libarchive-tools'] },
  {
    what: 'programs that pack',
    present: () => ['zip', 'xz', 'zstd'].every(have),
    packages: ['zip', 'xz-utils', 'zstd'],
  },
  {
    what: 'file attribute tools',
    present: () => ['getcap', 'getfattr', 'setfacl'].every(have),
    packages: ['libcap2-bin', 'attr', 'acl'],
  },
]

/**
 * @param {'window' | 'terminal' | 'test'} purpose
 * @returns {Need[]} what that form of the program needs from the system
 */
export function needsFor(purpose) {
  return {
    window: [...MACHINE_NEEDS, ...WINDOW_NEEDS],
    terminal: [...MACHINE_NEEDS, BASE_NEED],
    test: [...MACHINE_NEEDS, ...WINDOW_NEEDS, BASE_NEED, ...TEST_NEEDS],
  }[purpose]
}

async function electronLibrariesPresent() {
  const cache = await run(findProgram('ldconfig') ?? 'ldconfig', ['-p'])
  return ['libgtk-3.so.0', 'libnss3.so', 'libasound.so.2', 'libgbm.so.1', 'libxkbcommon.so.0'].every((name) =>
    cache.stdout.includes(`\t${name} `),
  )
}

/** @param {Need[]} needs @returns {Promise<Need[]>} those that are not there */
export async function missing(needs) {
  const present = await Promise.all(needs.map((need) => need.present()))
  return needs.filter((_, index) => !present[index])
}

/**
 * Installs what is missing by apt-get, after asking where a person is there. Never fails: what could not be
 * installed is named, because much of Slipway works without it.
 * @param {Need[]} needs
 * @param {{ ask: boolean }} options ask: whether to ask first
 * @returns {Promise<Need[]>} what is missing still
 */
export async function installPackages(needs, options) {
  const absent = await missing(needs)
  if (absent.length === 0) {
    return []
  }
  say(`Missing on this machine: ${absent.map((need) => need.what).join(', ')}.`)
  if (!isDebianLike() || !canBeRoot()) {
    say(`Please install what these Debian packages hold: ${packageNames(absent).join(' ')}`)
    return absent
  }
  if (options.ask && !(await agreed('Install with apt-get?'))) {
    return absent
  }
  const before = performance.now()
  const problem = await aptInstall(absent)
  const remaining = await missing(needs)
  if (problem !== null) {
    say(problem)
  }
  if (remaining.length > 0) {
    say(`Still missing: ${remaining.map((need) => need.what).join(', ')}.`)
  } else {
    say(`Installed in ${Math.round((performance.now() - before) / 1000)} s.`)
  }
  return remaining
}

function isDebianLike() {
  try {
    return /^ID(_LIKE)?=.*\b(debian|ubuntu)\b/m.test(readFileSync('/etc/os-release', 'utf8'))
  } catch {
    return false
  }
}

const packageNames = (needs) => [...new Set(needs.flatMap((need) => need.packages))]

/** @returns {Promise<string | null>} what went wrong */
async function aptInstall(needs) {
  const update = await runAsRoot('apt-get', ['update', '-q'])
  if (update.code !== 0) {
    say(`apt-get update failed; going on with the package lists that are there.\n${update.stderr.trim()}`)
  }
  const names = [...new Set(await Promise.all(packageNames(needs).map(firstKnown)))]
  say(`Installing: ${names.join(' ')}`)
  // Another apt may be at work, as on a machine that has just started.
  const args = ['-q', '-y', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=300', 'install', ...names]
  const install = await runAsRoot('apt-get', args, {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  })
  return install.code === 0 ? null : `apt-get install failed:\n${install.stderr.trim()}`
}

/** @param {string} names alternatives, as in `a|b` */
async function firstKnown(names) {
  const alternatives = names.split('|')
  for (const name of alternatives.slice(0, -1)) {
    const known = await run('apt-cache', ['show', '--no-all-versions', name])
    if (known.code === 0) {
      return name
    }
  }
  return alternatives.at(-1)
}
