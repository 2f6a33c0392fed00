import Docker from 'dockerode'
import { execa } from 'execa'
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { JOB_LABEL } from '../../src/main/docker/container'
import { prepareExport } from '../../src/main/docker/export'
import { inspectImage } from '../../src/main/docker/inspect'
import { imageSource } from '../../src/main/docker/source'
import type { InspectedImage } from '../../src/main/source/tree-source'
import { openScope } from '../../src/main/jobs/scope'
import { importImage, makeTar, startDaemon, type Daemon, type Member } from '../support/daemon'
import { testEngine, type TestEngine } from '../support/engine'

let daemon: Daemon
let docker: Docker

beforeAll(async () => {
  daemon = await startDaemon()
  docker = daemon.docker
})
afterAll(async () => {
  await daemon.remove()
})

const signal = (): AbortSignal => AbortSignal.timeout(60_000)

async function factsOf(members: readonly Member[]): Promise<InspectedImage> {
  const id = await importImage(docker, makeTar(members), null)
  const startedAt = Date.now()
  const facts = await inspectImage(docker, id, signal())
  // The bar is for a quiet machine and the HOWTO's image; this one only says that nothing runs away.
  expect(Date.now() - startedAt).toBeLessThan(10_000)
  expect(await ownContainers()).toEqual([])
  if (!facts.ok) throw new Error(JSON.stringify(facts.failure))
  return facts.value
}

const ownContainers = async (): Promise<string[]> =>
  (await docker.listContainers({ all: true, filters: { label: [JOB_LABEL] } })).flatMap((one) => one.Names)

/** A file that looks like an x86 kernel as far as its version goes. */
function kernelFile(version: string): Buffer {
  const kernel = Buffer.alloc(0x4000)
  kernel.write('HdrS', 0x202)
  kernel.writeUInt16LE(0x3000, 0x20e)
  kernel.write(`${version} (build@host) #1\0`, 0x3200)
  return kernel
}

describe('the HOWTO’s image', () => {
  let engine: TestEngine
  beforeAll(async () => {
    engine = await testEngine()
  })
  afterAll(async () => {
    await engine.stop()
  })

  test('is known within two seconds', async () => {
    const howto = new Docker({ socketPath: engine.socket })
    const startedAt = Date.now()
    const facts = await inspectImage(howto, engine.howtoImage, signal())
    const first = Date.now() - startedAt
    expect(facts).toMatchObject({
      ok: true,
      value: {
        name: engine.howtoImage,
        architecture: 'amd64',
        distribution: { id: 'debian', version: '12' },
        kernel: { path: '/vmlinuz' },
        initramfs: { path: '/initrd.img' },
        init: { kind: 'systemd', path: '/sbin/init' },
        rootLogin: 'no-password',
        hasResolved: false,
      },
    })
    expect(facts.ok && facts.value.kernel?.version).toMatch(/^6\.1\.0-\d+-amd64$/)
    // As above: the bar of two seconds is measured on a quiet machine.
    expect(first).toBeLessThan(10_000)
  })

  test('is exported whole', async () => {
    const scope = openScope()
    const howto = new Docker({ socketPath: engine.socket })
    const opened = await prepareExport(
      howto,
      { id: engine.howtoImage, sizeBytes: 1e9 },
      {
        signal: signal(),
        defer: (cleanUp) => scope.defer(cleanUp),
      },
    )
    if (!opened.ok) throw new Error(opened.failure.code)
    const stream = await opened.value.open()
    if (!stream.ok) throw new Error(stream.failure.code)
    const names = await execa('tar', ['--list'], { input: stream.value, maxBuffer: 1e8 })
    await scope.close()
    expect(names.stdout.split('\n')).toEqual(expect.arrayContaining(['vmlinuz', 'usr/sbin/apache2']))
    expect(names.stdout.split('\n').length).toBeGreaterThan(15_000)
  })
})

describe('other images', () => {
  test('an application alone has nothing that boots', async () => {
    const facts = await factsOf([
      { name: 'etc', type: '5' },
      { name: 'etc/os-release', content: 'ID=alpine\nVERSION_ID=3.20\n' },
      { name: 'app', content: 'x', mode: 0o755 },
    ])
    expect(facts).toMatchObject({ kernel: null, initramfs: null, init: null, rootLogin: 'unknown' })
    expect(facts.distribution).toEqual({ id: 'alpine', version: '3.20', prettyName: 'alpine' })
  })

  test('what a new home begins with is found, and what an engine blanks is blank', async () => {
    const facts = await factsOf([
      ...['etc', 'etc/skel', 'etc/skel/.config'].map((name) => ({ name, type: '5' as const })),
      { name: 'etc/skel/.profile', content: 'umask 022\n', mode: 0o600 },
      { name: 'etc/skel/.config/app', content: Buffer.from([0xff]) },
      { name: 'etc/skel/.link', type: '2', target: '/etc/passwd' },
      { name: 'etc/skel/large', content: Buffer.alloc(100_000) },
      { name: 'etc/hostname', content: 'builder\n' },
      { name: 'etc/resolv.conf', content: 'nameserver 192.0.2.1\n' },
      { name: 'etc/fstab', content: 'tmpfs /tmp tmpfs\n' },
    ])
    expect(facts.files).toMatchObject({
      skeleton: [
        { path: '.config/app', text: '\xff', mode: 0o644 },
        { path: '.profile', text: 'umask 022\n', mode: 0o600 },
      ],
      // The engine takes them away for its own (moby, daemon/initlayer).
      hostname: { text: '' },
      hasResolver: false,
      fstab: { text: 'tmpfs /tmp tmpfs\n' },
    })
  })

  test('a second look at an image makes no container', async () => {
    const id = await importImage(docker, makeTar([{ name: 'looked-at-twice', content: 'x' }]), null)
    const create = vi.spyOn(docker, 'createContainer')
    try {
      const first = await inspectImage(docker, id, signal())
      expect(create).toHaveBeenCalledTimes(1)
      expect(await inspectImage(docker, id, signal())).toEqual(first)
      expect(create).toHaveBeenCalledTimes(1)
    } finally {
      create.mockRestore()
    }
  })

  test('Alpine: the kernel says its version itself, OpenRC behind busybox', async () => {
    const facts = await factsOf([
      { name: 'boot', type: '5' },
      { name: 'boot/vmlinuz-lts', content: kernelFile('6.6.49-0-lts') },
      { name: 'boot/initramfs-lts', content: 'x' },
      { name: 'sbin', type: '5' },
      { name: 'bin', type: '5' },
      { name: 'bin/busybox', content: 'x', mode: 0o755 },
      { name: 'sbin/init', type: '2', target: '/bin/busybox' },
      { name: 'sbin/openrc', content: 'x', mode: 0o755 },
    ])
    expect(facts).toMatchObject({
      kernel: { path: '/boot/vmlinuz-lts', version: '6.6.49-0-lts' },
      initramfs: { path: '/boot/initramfs-lts' },
      init: { kind: 'openrc', path: '/sbin/init' },
    })
  })

  test('Fedora: the kernel among its modules, systemd without a link', async () => {
    const version = '6.8.5-301.fc40.x86_64'
    const facts = await factsOf([
      ...['usr', 'usr/lib', 'usr/lib/modules', `usr/lib/modules/${version}`, 'usr/lib/systemd'].map(
        (name) => ({ name, type: '5' as const }),
      ),
      { name: `usr/lib/modules/${version}/kernel.ko`, content: Buffer.alloc(100_000) },
      { name: `usr/lib/modules/${version}/vmlinuz`, content: kernelFile(version) },
      { name: `usr/lib/modules/${version}/initramfs.img`, content: 'x' },
      { name: 'usr/lib/systemd/systemd', content: 'x', mode: 0o755 },
    ])
    expect(facts).toMatchObject({
      kernel: { path: `/usr/lib/modules/${version}/vmlinuz`, version },
      initramfs: { path: `/usr/lib/modules/${version}/initramfs.img` },
      init: { kind: 'systemd', path: '/usr/lib/systemd/systemd' },
    })
  })

  test('of several kernels the newest, with its own RAM disk, and never the rescue one', async () => {
    const facts = await factsOf([
      { name: 'boot', type: '5' },
      ...['6.9.1', '6.10.2', '0-rescue-abc'].flatMap((version) => [
        { name: `boot/vmlinuz-${version}`, content: 'x' },
        { name: `boot/initramfs-${version}.img`, content: 'x' },
      ]),
      { name: 'boot/initrd.img', type: '2', target: 'initramfs-6.9.1.img' },
    ])
    expect(facts.kernel).toEqual({ path: '/boot/vmlinuz-6.10.2', version: '6.10.2' })
    expect(facts.initramfs).toEqual({ path: '/boot/initramfs-6.10.2.img' })
  })
})

describe('hostile images', () => {
  test('links out of the root lead back into it', async () => {
    const up = '../'.repeat(20)
    const facts = await factsOf([
      // Both exist on this host, where they would give answers.
      { name: 'etc', type: '5' },
      { name: 'etc/os-release', type: '2', target: `${up}usr/lib/os-release` },
      { name: 'etc/shadow', type: '2', target: `${up}proc/self/environ` },
      { name: 'vmlinuz', type: '2', target: `${up}proc/kcore` },
      { name: 'sbin', type: '2', target: `${up}usr/sbin` },
      { name: 'boot', type: '2', target: `${up}boot` },
    ])
    expect(facts).toMatchObject({ distribution: null, kernel: null, init: null, rootLogin: 'unknown' })
  })

  test('a folder that is a link to the host stays empty there', async () => {
    const outside = await mkdtemp('/var/tmp/slipway-outside-')
    try {
      await mkdir(join(outside, 'etc'))
      await factsOf([
        { name: 'etc', type: '2', target: join('../'.repeat(20), outside, 'etc') },
        { name: 'dev', type: '2', target: join('../'.repeat(20), outside) },
        { name: 'file', content: 'x' },
      ])
      expect(await readdir(outside, { recursive: true })).toEqual(['etc'])
    } finally {
      await rm(outside, { recursive: true })
    }
  })

  test('circles, devices and folders in the place of files are nothing', async () => {
    const facts = await factsOf([
      { name: 'vmlinuz', type: '2', target: 'initrd.img' },
      { name: 'initrd.img', type: '2', target: 'vmlinuz' },
      { name: 'boot', type: '2', target: 'boot' },
      { name: 'sbin', type: '5' },
      { name: 'sbin/init', type: '3', device: [1, 5], mode: 0o777 },
      { name: 'etc', type: '5' },
      { name: 'etc/init', type: '5' },
      { name: 'etc/os-release', type: '6' },
      { name: 'etc/shadow', type: '3', device: [1, 5] },
      { name: 'usr', type: '5' },
      { name: 'usr/lib', content: 'not a folder' },
    ])
    expect(facts).toMatchObject({ distribution: null, kernel: null, init: null, rootLogin: 'unknown' })
  })

  test('names of any bytes and huge files are passed over', async () => {
    const facts = await factsOf([
      { name: 'boot', type: '5' },
      { name: Buffer.from('boot/vmlinuz-\xff\xfe', 'latin1'), content: 'x' },
      { name: 'boot/vmlinuz-6.1\nAPPEND evil', content: 'x' },
      { name: 'boot/vmlinuz-$(reboot)', content: 'x' },
      { name: 'boot/vmlinuz-5.0', content: '' },
      { name: 'etc', type: '5' },
      { name: 'etc/os-release', content: Buffer.alloc(30_000_000, 'A=B\n') },
      { name: 'etc/shadow', content: Buffer.alloc(30_000_000, 'root:x:') },
    ])
    expect(facts).toMatchObject({ distribution: null, kernel: null })
  })
})

describe('endings', () => {
  test('a name that looks like another one when it is shortened does not take its place', async () => {
    const facts = await factsOf([
      { name: 'etc', type: '5' },
      { name: 'etc/fstab', content: 'tmpfs /tmp tmpfs\n' },
      // Go leaves out what is not ASCII where a header has room for ASCII alone (archive/tar, toASCII).
      { name: 'etc/fstab\u00fc', content: 'tmpfs /nil tmpfs\n' },
      { name: 'etc/hosts\u00fc', content: '' },
      { name: 'etc/gshadow', content: `${'x'.repeat(300_000)}\n` },
    ])
    expect(facts.files.fstab?.text).toBe('tmpfs /tmp tmpfs\n')
    // Larger than what is kept of a folder that is read at once.
    expect(facts.files.gshadow?.text.length).toBe(300_001)
  })

  test('one container is enough for a job that looks at an image and exports it', async () => {
    const id = await importImage(docker, makeTar([{ name: 'built-once', content: 'x' }]), null)
    const create = vi.spyOn(docker, 'createContainer')
    const scope = openScope()
    const defer = (cleanUp: () => void | Promise<void>): void => scope.defer(cleanUp)
    try {
      const source = imageSource(docker, id)
      const image = await source.inspect(signal(), undefined, defer)
      if (!image.ok) throw new Error(image.failure.code)
      const tree = await source.prepareExport(image.value, {
        signal: signal(),
        defer,
        progress: () => undefined,
      })
      if (!tree.ok) throw new Error(tree.failure.code)
      expect((await tree.value.files.read('/built-once', 10))?.toString()).toBe('x')
      expect(create).toHaveBeenCalledTimes(1)
    } finally {
      await scope.close()
      create.mockRestore()
    }
    expect(await ownContainers()).toEqual([])
  })

  test('cancelling leaves no container', async () => {
    const id = await importImage(docker, makeTar([{ name: 'cancelled', content: 'b' }]), null)
    for (const milliseconds of [0, 5, 30, 60]) {
      const abort = new AbortController()
      setTimeout(() => abort.abort(), milliseconds)
      await inspectImage(docker, id, abort.signal).catch((error: unknown) => {
        expect(error).toBe(abort.signal.reason)
      })
      expect(await ownContainers()).toEqual([])
    }
  })

  test('an image that is not there is said to be gone', async () => {
    for (const id of ['nobody:1', `sha256:${'0'.repeat(64)}`]) {
      const failure = { ok: false, failure: { code: 'image-gone', facts: { image: id } } }
      expect(await inspectImage(docker, id, signal())).toEqual(failure)
      const scope = openScope()
      expect(
        await prepareExport(
          docker,
          { id, sizeBytes: 0 },
          { signal: signal(), defer: (cleanUp) => scope.defer(cleanUp) },
        ),
      ).toEqual(failure)
      await scope.close()
    }
  })

  test('anonymous volumes of an image go with the container', async () => {
    const id = await importImage(docker, makeTar([{ name: 'data', type: '5' }]), null)
    const made = await docker.createContainer({ Image: id, Cmd: ['x'] })
    const committed = (await made.commit({ changes: 'VOLUME /data' })) as { Id: string }
    await made.remove({ v: true })
    await inspectImage(docker, committed.Id, signal())
    expect((await docker.listVolumes()).Volumes).toEqual([])
  })
})
