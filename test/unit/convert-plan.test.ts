import { describe, expect, it } from 'vitest'
import { withEstimate } from '../../src/main/convert/engines'
import { fail } from '../../src/shared/failure'
import { hostnameOf, planBuild } from '../../src/main/convert/plan'
import type { InspectedImage } from '../../src/main/source/tree-source'
import { kernelBuildRequestSchema } from '../../src/shared/helper-protocol'
import { plainMachineSettings, type MachineSettings } from '../../src/shared/machine'
import { defaultBuildSettings, neededDiskBytes, swapRoom } from '../../src/shared/image'
import { blankFiles } from '../support/inspected'

const MIB = 1024 * 1024

const image: InspectedImage = {
  id: `sha256:${'ab'.repeat(32)}`,
  file: null,
  name: 'my-machine:latest',
  architecture: 'amd64',
  sizeBytes: 1000 * MIB,
  measured: null,
  createdAt: 0,
  distribution: null,
  kernel: { path: '/vmlinuz', version: '6.1' },
  initramfs: { path: '/initrd.img' },
  init: { kind: 'systemd', path: '/sbin/init' },
  rootLogin: 'no-password',
  applications: {
    ...{ entrypoint: [], command: [], ports: [], environment: [], volumes: [] },
    ...{ workingDirectory: '/', user: '' },
  },
  packageManager: null,
  network: null,
  users: [],
  equipment: [],
  recipe: null,
  missing: [],
  hasResolved: false,
  files: {
    ...{ passwd: null, shadow: null, group: null, gshadow: null, inittab: null },
    ...{ ...blankFiles, skeleton: [], masked: [] },
  },
}

function plan(changes: Partial<InspectedImage> = {}, sizeBytes: number | null = null) {
  const planned = planBuild({ ...image, ...changes }, { ...defaultBuildSettings, sizeBytes })
  if (!planned.ok) throw new Error(planned.failure.code)
  return planned.value
}
const refusal = (changes: Partial<InspectedImage>, sizeBytes: number | null = null): unknown => {
  const planned = planBuild({ ...image, ...changes }, { ...defaultBuildSettings, sizeBytes })
  return planned.ok ? null : planned.failure
}

describe('planBuild', () => {
  it('makes what the helper takes', () => {
    const made = plan()
    const request = kernelBuildRequestSchema.parse({
      type: 'build',
      path: '/a',
      label: 'slipway',
      fileSystemUuid: made.rootUuid,
      sizeBytes: made.expectedBytes,
      ...made,
      ...made.boot,
    })
    expect(request.sizeBytes % MIB).toBe(0)
    expect(made.boot).toMatchObject({ kernelPath: '/vmlinuz', kernelArguments: '' })
    const hostname = made.edits.added.find((entry) => entry.path === 'etc/hostname')
    expect(Buffer.from(hostname?.content ?? []).toString()).toBe('my-machine\n')
  })

  it('is the same for the same image and settings, and another one otherwise', () => {
    expect(plan()).toEqual(plan())
    const others = [plan({ id: `sha256:${'cd'.repeat(32)}` }), plan({}, 4096 * MIB)]
    for (const other of others) {
      expect(other.rootUuid).not.toBe(plan().rootUuid)
      expect(other.diskSignature).not.toBe(plan().diskSignature)
    }
  })

  it('has room for a swap file', () => {
    const growing: InspectedImage = { ...image, equipment: ['sfdisk', 'resize2fs'] }
    const swapping = (machine: Partial<MachineSettings>, sizeBytes: number | null = null) =>
      planBuild(growing, {
        ...defaultBuildSettings,
        sizeBytes,
        machine: { ...plainMachineSettings, swapBytes: 2048 * MIB, ...machine },
      })
    const made = swapping({})
    expect(made.ok && made.value).toMatchObject({
      size: { freeShare: 1 / 4, freeBytes: (512 + 2048) * MIB },
      expectedBytes: plan().expectedBytes + 2048 * MIB,
    })
    const neededBytes = neededDiskBytes(image.sizeBytes) + 2048 * MIB
    const tooSmall = { sizeBytes: neededBytes - MIB, neededBytes }
    expect(swapping({}, neededBytes - MIB)).toMatchObject({ failure: { facts: tooSmall } })
    // It grows on the drive.
    expect(swapping({ growRoot: true }, neededDiskBytes(image.sizeBytes)).ok).toBe(true)
    // Nothing makes one on a disk of data.
    const machine = { ...plainMachineSettings, swapBytes: 2048 * MIB }
    const data = { ...defaultBuildSettings, boot: false, machine }
    expect(swapRoom(data)).toEqual({ neededBytes: 0, defaultBytes: 0 })
    expect(planBuild(growing, data)).toEqual(planBuild(growing, { ...data, machine: plainMachineSettings }))
  })

  it('tells Alpine’s RAM disk what to load', () => {
    expect(plan({ packageManager: 'apk' }).boot?.kernelArguments).toBe(
      'rootfstype=ext4 modules=sd-mod,usb-storage,ext4',
    )
  })

  it('leaves the name that the image gives itself', () => {
    const files = { ...image.files, hostname: { text: '# me\n\nkiosk\n', mode: 0o644 } }
    const paths = (changes: Partial<InspectedImage>): string[] =>
      plan(changes).edits.added.map(({ path }) => path)
    expect(paths({ files })).not.toContain('etc/hostname')
    expect(
      Buffer.from(
        plan({ files }).edits.added.find(({ path }) => path === 'etc/hosts')?.content ?? [],
      ).toString(),
    ).toContain('127.0.1.1 kiosk\n')
  })

  it('names the root of fstab by the UUID of the plan', () => {
    const fstab = plan().edits.added.find((entry) => entry.path === 'etc/fstab')
    expect(Buffer.from(fstab?.content ?? []).toString()).toContain(`UUID=${plan().rootUuid} / ext4`)
  })

  it('tells the kernel where an init lies that it would not find', () => {
    const init = { kind: 'systemd', path: '/usr/lib/systemd/systemd' } as const
    expect(plan({ init }).boot?.kernelArguments).toBe('init=/usr/lib/systemd/systemd')
  })

  it('links resolv.conf only where the resolver is', () => {
    const linked = (changes: Partial<InspectedImage>): boolean =>
      plan(changes).edits.added.some((entry) => entry.path === 'etc/resolv.conf')
    expect(linked({})).toBe(false)
    expect(linked({ hasResolved: true })).toBe(true)
    expect(linked({ hasResolved: true, init: { kind: 'openrc', path: '/sbin/init' } })).toBe(false)
    const files = { ...image.files, hasResolver: true }
    expect(linked({ hasResolved: true, files })).toBe(false)
    expect(plan({ files }).edits.removed).not.toContain('etc/resolv.conf')
    expect(plan().edits.removed).toContain('etc/resolv.conf')
  })

  it.each([
    [{ architecture: 's390x' }, 'image-architecture'],
    [{ kernel: null, initramfs: null, init: null }, 'kernel-missing'],
    [{ initramfs: null, init: null }, 'initramfs-missing'],
    [{ init: null }, 'init-missing'],
  ] as const)('refuses %j as %s', (changes, code) => {
    expect(refusal(changes)).toMatchObject({ code })
  })

  it('refuses a size that is too small, with the one that is needed', () => {
    const neededBytes = neededDiskBytes(image.sizeBytes)
    expect(refusal({}, neededBytes - MIB)).toEqual({
      code: 'size-too-small',
      facts: { sizeBytes: neededBytes - MIB, neededBytes },
    })
    expect(plan({}, neededBytes).size).toEqual({ bytes: neededBytes })
    expect(plan({}, neededBytes + MIB - 1).size).toEqual({ bytes: neededBytes })
  })

  it('refuses a size beyond what the partition table can say', () => {
    expect(refusal({}, 3 * 1024 ** 4)).toMatchObject({ code: 'size-too-large' })
    const settings = { ...defaultBuildSettings, table: 'gpt', sizeBytes: 3 * 1024 ** 4 } as const
    expect(planBuild(image, settings).ok).toBe(true)
    expect(planBuild(image, { ...settings, sizeBytes: 17 * 1024 ** 4 })).toMatchObject({ ok: false })
  })

  it('leaves the size to the content where nobody chose one, but for the kernel engine', () => {
    expect(plan().size).toEqual({ freeShare: 1 / 4, freeBytes: 512 * MIB })
    const kernel = planBuild(image, { ...defaultBuildSettings, engine: 'kernel' })
    expect(kernel).toMatchObject({ value: { size: { bytes: plan().expectedBytes } } })
  })

  it('needs less for a disk of data alone', () => {
    const settings = { ...defaultBuildSettings, boot: false, sizeBytes: 20 * MIB }
    const small = { ...image, sizeBytes: MIB }
    expect(planBuild(small, settings).ok).toBe(true)
    expect(planBuild(small, { ...settings, boot: true })).toMatchObject({
      failure: { code: 'size-too-small' },
    })
  })

  it('tells what a disk would need that turned out too small while it was written', () => {
    const failed = fail('size-too-small', { sizeBytes: 0, neededBytes: 200 * MIB })
    const planned = plan({}, neededDiskBytes(image.sizeBytes))
    const told = withEstimate(failed, planned, 0.1)
    expect(told.failure).toEqual({
      code: 'size-too-small',
      facts: { sizeBytes: planned.expectedBytes, neededBytes: neededDiskBytes(2000 * MIB) },
    })
    const other = fail('image-gone', { image: 'a' })
    expect(withEstimate(other, planned, 0.1)).toBe(other)
  })

  it('asks nothing of a disk that is not to boot, and adds nothing to it', () => {
    const nothing = { architecture: 'unknown', kernel: null, initramfs: null, init: null }
    const settings = { ...defaultBuildSettings, boot: false }
    const archived = planBuild({ ...image, ...nothing, file: '/a.tar' }, settings)
    expect(archived).toMatchObject({ value: { boot: null, edits: { removed: [], emptied: [], added: [] } } })
    const exported = planBuild({ ...image, ...nothing }, settings)
    expect(exported).toMatchObject({ value: { boot: null, edits: { added: [] } } })
    if (exported.ok) expect(exported.value.edits.removed).toContain('.dockerenv')
  })

  it('refuses what the kernel engine cannot make', () => {
    for (const changes of [{ table: 'gpt' }, { boot: false }, { manifest: true }] as const) {
      const planned = planBuild(image, { ...defaultBuildSettings, engine: 'kernel', ...changes })
      expect(planned).toMatchObject({ failure: { code: 'not-supported' } })
    }
  })
})

describe('hostnameOf', () => {
  it.each([
    ['my-machine:latest', 'my-machine'],
    ['registry:5000/me/My_App:1.2', 'my-app'],
    ['a@sha256:0011', 'a'],
    ['552c20224e89', 'slipway'],
    ['___', 'slipway'],
    [`${'x'.repeat(80)}:1`, 'x'.repeat(63)],
  ])('%s becomes %s', (name, hostname) => {
    expect(hostnameOf(name)).toBe(hostname)
  })
})
