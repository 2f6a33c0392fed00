import { execa } from 'execa'
import { cp, mkdir, open, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { ListedDrive } from '../../src/main/drives/watch'
import { bundleForNode } from './bundle'
import { testEngine } from './engine'
import { makeExt4Disk, makeTree } from './ext4-disk'
import { attachLoop, detachLoop } from './loop'
import { fillWithOldData } from './sticks'
import { writeTinyDisk } from './tiny-disk'

const MIB = 1024 * 1024
const OUT = resolve(import.meta.dirname, '../../out')
const CLI = join(OUT, 'cli/slipway.cjs')
/** What the terminal form loads at run time: `drives` and `flash` need no Docker client. */
const PACKAGES = ['drivelist', 'bindings', 'file-uri-to-path', 'debug', 'ms', 'sudo-prompt']

/** What the disk says on the screen that is written in the guest, as far as it boots. */
export const BOOT_TEXT = 'Written by Slipway'

/** Bytes behind the disk on the stick that the guest runs from; for less than 32 MiB its root does not grow. */
const ROOM_TO_GROW = 64 * MIB

/** Milliseconds for building the image, and for each of Slipway's own steps, next to other work. */
const STEP_TIMEOUT = 300_000

/** In the guest: the disk that is written there. */
export const GUEST_DISK = '/srv/source.img'

/** `as-person PROGRAM WORD...`: a program as an ordinary user, for whom Slipway has to ask polkit. */
const PERSON_SCRIPT = `#!/bin/sh
cd /home/person
exec setpriv --reuid person --regid person --init-groups --reset-env -- "$@"
`

/** What polkit answers that user without a dialog (polkit(8), "Authorization Rules"). */
const PERSON_RULE = `polkit.addRule(function (action, subject) {
  if (action.id === 'org.freedesktop.policykit.exec' && subject.user === 'person') return polkit.Result.YES
})
`

/**
 * A program as that user in the background, `job NAME PROGRAM WORD...`: its output in /run/NAME.out, its process in
 * /run/NAME.pid, and at its end its exit code in /run/NAME.exit.
 */
const JOB_SCRIPT = `#!/bin/sh
name=$1
shift
(
  sh -c 'echo $$ >"$0.pid"; exec as-person "$@"' "/run/$name" "$@" >"/run/$name.out" 2>&1 </dev/null
  echo $? >"/run/$name.exit"
) &
`

/** Services that take the guest's time, under emulation minutes, and are nothing to its drives. */
const NOT_NEEDED = [
  ...['apache2', 'apparmor', 'console-setup', 'e2scrub_reap', 'keyboard-setup', 'systemd-timesyncd'],
  ...[
    'apt-daily.timer',
    'apt-daily-upgrade.timer',
    'dpkg-db-backup.timer',
    'e2scrub_all.timer',
    'fstrim.timer',
  ],
].join(' ')

const DOCKERFILE = (base: string): string => `FROM ${base}
RUN apt-get -q update && apt-get -q -y install --no-install-recommends fdisk pkexec polkitd && \\
  useradd --create-home person && \\
  systemctl disable ${NOT_NEEDED}
COPY person.rules /etc/polkit-1/rules.d/
COPY node job as-person /usr/local/bin/
COPY slipway /opt/slipway
COPY rogue /opt/rogue
COPY source.img ${GUEST_DISK}
RUN chmod 644 /etc/polkit-1/rules.d/person.rules ${GUEST_DISK} && chmod 755 /usr/local/bin/* /opt/slipway/out/cli/slipway.cjs && \\
  ln -s /opt/slipway/out/cli/slipway.cjs /usr/local/bin/slipway
`

/** A disk that boots as far as to say BOOT_TEXT, with an ext4 of which half is free. */
export async function makeSourceDisk(path: string, folder: string): Promise<void> {
  const tree = join(folder, 'tree')
  await makeTree(tree)
  await fillWithOldData(join(tree, 'noise'), 12 * MIB)
  await makeExt4Disk(path, tree, 40 * MIB)
  const tiny = join(folder, 'tiny.img')
  await writeTinyDisk(tiny, BOOT_TEXT)
  const bootCode = (await readFile(tiny)).subarray(0, 440)
  const disk = await open(path, 'r+')
  await disk.write(bootCode, 0, bootCode.length, 0)
  await disk.close()
}

/**
 * Makes a stick that boots the guest as a person would: an image is built in Docker, Slipway makes a disk of it and
 * writes the disk to a stick, which is full of old data; here a loop device stands for it.
 * @param folder for everything that is made; the stick is `root.img` in it
 * @param source a disk file for the guest, which gets it as GUEST_DISK
 * @param image the tag of the image; it is removed again
 */
export async function makeRootStick(folder: string, source: string, image: string): Promise<string> {
  const engine = await testEngine()
  const env = {
    DOCKER_HOST: engine.host,
    XDG_DATA_HOME: join(folder, 'data'),
    SLIPWAY_TEST_LOOP_TARGETS: '1',
  }
  const slipway = (...words: string[]): Promise<{ stdout: string }> =>
    execa(process.execPath, [CLI, ...words, '--json'], { env, timeout: STEP_TIMEOUT })
  const disk = join(folder, 'machine.img')
  const stick = join(folder, 'root.img')
  try {
    await execa(
      'docker',
      ['build', '--network', 'host', '-q', '-t', image, await makeContext(folder, source, engine.howtoImage)],
      { env, timeout: STEP_TIMEOUT },
    )
    try {
      const settings = join(folder, 'machine.json')
      await writeFile(settings, JSON.stringify({ growRoot: true }))
      const words = ['-o', disk, '--machine', settings, '--kernel-arguments', 'console=tty0 console=ttyS0']
      await slipway('build', image, ...words)
    } finally {
      await execa('docker', ['rmi', image], { env, timeout: STEP_TIMEOUT })
    }
    const { size } = await stat(disk)
    await fillWithOldData(stick, size + ROOM_TO_GROW)
    const device = await attachLoop(stick)
    try {
      const { drives } = JSON.parse((await slipway('drives')).stdout) as { drives: ListedDrive[] }
      const name = drives.find((drive) => drive.device === device)?.name ?? ''
      await slipway('flash', disk, device, '--confirm', name)
    } finally {
      await detachLoop(device, stick)
    }
    await rm(disk)
    return stick
  } finally {
    await engine.stop()
  }
}

/** The folder from which the image is built. */
async function makeContext(folder: string, source: string, base: string): Promise<string> {
  const context = join(folder, 'context')
  await mkdir(join(context, 'slipway/node_modules'), { recursive: true })
  await cp(process.execPath, join(context, 'node'))
  await cp(source, join(context, 'source.img'))
  for (const part of ['cli', 'helper']) {
    await cp(join(OUT, part), join(context, 'slipway/out', part), { recursive: true })
  }
  for (const name of PACKAGES) {
    const from = resolve(import.meta.dirname, '../../node_modules', name)
    await cp(from, join(context, 'slipway/node_modules', name), { recursive: true, dereference: true })
  }
  await bundleForNode(join(import.meta.dirname, 'sticks-rogue.ts'), join(context, 'rogue'), 'rogue')
  await writeFile(join(context, 'job'), JOB_SCRIPT)
  await writeFile(join(context, 'as-person'), PERSON_SCRIPT)
  await writeFile(join(context, 'person.rules'), PERSON_RULE)
  await writeFile(join(context, 'Dockerfile'), DOCKERFILE(base))
  return context
}
