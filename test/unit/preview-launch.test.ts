import { expect, test } from 'vitest'
import { candidateAccelerators, isAcceleratorProblem } from '../../src/main/preview/launch'

// Words of QEMU 7.2 (accel/kvm, target/i386/hvf, target/i386/whpx), and how a run of it ends (session.ts).
test.each([
  [true, 'QEMU was ended by SIGABRT: kvm_buf_set_msrs: Assertion `ret == cpu->kvm_msr_buf->nmsrs` failed.'],
  [true, 'QEMU was ended by SIGSEGV'],
  [true, 'QEMU ended with exit code 1: Could not access KVM kernel module: Permission denied'],
  [
    true,
    'QEMU ended with exit code 1: qemu-system-x86_64: failed to initialize kvm: No such file or directory',
  ],
  [true, "QEMU ended with exit code 1: qemu-system-x86_64: CPU model 'host' requires KVM or HVF"],
  [true, 'QEMU ended with exit code 1: qemu-system-x86_64: -accel hvf: invalid accelerator hvf'],
  [true, 'QEMU ended with exit code 1: WHPX: No accelerator found, hr=00000000'],
  [
    true,
    'QEMU ended with exit code 1: qemu-system-x86_64: System Management Mode not supported by this hypervisor.',
  ],
  [true, 'no sign of life within 15 seconds'],
  [true, 'the firmware read nothing of the disk within 15 seconds'],
  [true, 'the machine is in state internal-error'],
  [false, 'the machine is in state io-error'],
  [false, 'QEMU was ended by SIGKILL'],
  [false, 'QEMU was ended by SIGTERM: terminating on signal 15 from pid 1'],
  [false, 'stopped'],
  [
    false,
    'QEMU ended with exit code 1: qemu-system-x86_64: -device usb-storage,drive=disk: Failed to get "write" lock',
  ],
  [
    false,
    "QEMU ended with exit code 1: qemu-system-x86_64: -blockdev {}: Could not open '/srv/kvm/disk.img': Permission denied",
  ],
  [false, 'QEMU did not connect within 20000 ms'],
])('%s: %s', (expected, detail) => {
  expect(isAcceleratorProblem(detail)).toBe(expected)
})

test('each system has its accelerator, and emulation last; a strange guest has only that', async () => {
  const of = (platform: NodeJS.Platform, arch: string): Promise<string[]> =>
    candidateAccelerators('amd64', () => undefined, { platform, arch })
  expect(await of('win32', 'x64')).toEqual(['whpx', 'tcg'])
  expect(await of('darwin', 'x64')).toEqual(['hvf', 'tcg'])
  expect(await of('freebsd', 'x64')).toEqual(['tcg'])
  expect((await of('linux', 'x64')).at(-1)).toBe('tcg')
  expect(await of('darwin', 'arm64')).toEqual(['tcg'])
})
