import { describe, expect, it } from 'vitest'
import { installCommand, packagesFor } from '../../src/main/preview/find'

/** The lines of /etc/os-release that matter, as each system has them. */
const systems: [name: string, osRelease: string, amd64: string, arm64: string][] = [
  [
    'Debian 12',
    'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_ID="12"\nID=debian\n',
    'sudo apt install qemu-system-x86 qemu-utils ovmf',
    'sudo apt install qemu-system-arm qemu-utils qemu-efi-aarch64',
  ],
  [
    'Linux Mint 22, by its parents',
    'NAME="Linux Mint"\nID=linuxmint\nID_LIKE="ubuntu debian"\n',
    'sudo apt install qemu-system-x86 qemu-utils ovmf',
    'sudo apt install qemu-system-arm qemu-utils qemu-efi-aarch64',
  ],
  [
    'Fedora 41',
    'NAME="Fedora Linux"\nID=fedora\nPLATFORM_ID="platform:f41"\n',
    'sudo dnf install qemu-system-x86 qemu-img edk2-ovmf',
    'sudo dnf install qemu-system-aarch64 qemu-img edk2-aarch64',
  ],
  [
    'Arch',
    'NAME="Arch Linux"\nID=arch\nBUILD_ID=rolling\n',
    'sudo pacman -S qemu-system-x86 qemu-img edk2-ovmf',
    'sudo pacman -S qemu-system-aarch64 qemu-img edk2-aarch64',
  ],
  [
    'openSUSE Tumbleweed',
    'NAME="openSUSE Tumbleweed"\nID="opensuse-tumbleweed"\nID_LIKE="opensuse suse"\n',
    'sudo zypper install qemu-x86 qemu-img qemu-ovmf-x86_64',
    'sudo zypper install qemu-arm qemu-img qemu-uefi-aarch64',
  ],
  [
    'Alpine 3.20',
    'NAME="Alpine Linux"\nID=alpine\nVERSION_ID=3.20.3\n',
    'sudo apk add qemu-system-x86_64 qemu-img ovmf',
    'sudo apk add qemu-system-aarch64 qemu-img aavmf',
  ],
  ['a system that nobody knows', 'NAME=Plan\nID=plan\n', '', ''],
  ['a system without the file', '', '', ''],
]

describe('how to get QEMU', () => {
  it.each(systems)('on %s', (_name, osRelease, amd64, arm64) => {
    const packages = packagesFor('linux', osRelease)
    expect(installCommand(packages, 'amd64')).toBe(amd64)
    expect(installCommand(packages, 'arm64')).toBe(arm64)
  })

  it('on macOS', () => {
    expect(installCommand(packagesFor('darwin', ''), 'amd64')).toBe('brew install qemu')
  })
})
