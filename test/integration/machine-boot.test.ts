import { execa } from 'execa'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { buildWork } from '../../src/main/convert/build'
import { setDirectWorker } from '../../src/main/convert/engines'
import { findEngine, ownSurroundings } from '../../src/main/docker/connect'
import { imageSource } from '../../src/main/docker/source'
import { createJobManager } from '../../src/main/jobs/manager'
import { openScope } from '../../src/main/jobs/scope'
import { openLibrary } from '../../src/main/library/library'
import { startMachine, type Machine } from '../../src/main/preview/machine'
import { defaultSettingsFor } from '../../src/shared/image'
import type { MachineSettings } from '../../src/shared/machine'
import { BASE_IMAGE, testEngine } from '../support/engine'
import { serialConsole, type SerialConsole } from '../support/serial'

const OUT = resolve(import.meta.dirname, '../../out')
const IMAGE = 'slipway-machine-test:1'
const MIB = 1024 * 1024
/** crypt(5) of “secret”. */
const HASH =
  '$6$abcdefgh$ltjgWl6579NluT/Vi1nwEvcil.G5Nbc4NiXZaNGStk8PSwGfQv72N2CKPPrVACtLtip/cZ/1GM/O6IND4WQhG.'
const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE3sXkzYk0Cq8m0fXvV2i1uY0bP1o8y3sHjvJgJr5X2l ada@desk'

/** Derived from a passphrase, as the form does it. */
const WIFI_KEY = 'c0ffee'.repeat(11).slice(0, 64)

/** Opens /dev/stdout by name, as many images do; of what every Debian has. */
const SERVER = `use IO::Socket::INET;
open(my $log, '>>', '/dev/stdout') or die "no stdout: $!";
print $log "serving on $ARGV[0]\\n"; close $log;
my $s = IO::Socket::INET->new(LocalPort => $ARGV[0], Listen => 5, ReuseAddr => 1) or die $!;
while (my $c = $s->accept) {
  my $l = <$c>;
  my $body = "$ENV{GREETING}|$ENV{'my.odd'}|" . \`pwd\` . \`id -un\`;
  print $c "HTTP/1.0 200 OK\\r\\n\\r\\n$body";
  close $c;
}
`
/** An identity that every machine of the image would share, and what is only right in a container. */
const PLANTED_ID = '0123456789abcdef'.repeat(2)
const keyTypes = ['rsa', 'dsa', 'ecdsa', 'ed25519']
const planted: [path: string, text: string][] = [
  ['etc/machine-id', PLANTED_ID],
  ['var/lib/dbus/machine-id', PLANTED_ID],
  ['var/lib/systemd/random-seed', 'planted'],
  ['var/lib/systemd/credential.secret', 'planted'],
  ['var/lib/urandom/random-seed', 'planted'],
  ...keyTypes.flatMap((type): [string, string][] => [
    [`etc/ssh/ssh_host_${type}_key`, 'planted'],
    [`etc/ssh/ssh_host_${type}_key.pub`, KEY],
  ]),
  ['usr/sbin/policy-rc.d', '#!/bin/sh\nexit 101'],
  ...['clean', 'no-languages', 'gzip-indexes', 'autoremove-suggests'].map((name): [string, string] => [
    `etc/apt/apt.conf.d/docker-${name}`,
    '// planted',
  ]),
  ['etc/dpkg/dpkg.cfg.d/docker-apt-speedup', 'force-unsafe-io'],
  ['etc/dpkg/dpkg.cfg.d/docker', 'path-exclude /usr/share/planted/*'],
]
const DOCKERFILE = `FROM ${BASE_IMAGE}
COPY planted/ /
RUN chmod 755 /usr/sbin/policy-rc.d && mkdir -p /etc/systemd/system \\
 && ln -s /dev/null /etc/systemd/system/getty.target && chmod 600 /etc/ssh/ssh_host_*_key
ENV GREETING="it's 100% \\"quoted\\" \\$HOME" my.odd="x y"
COPY server.pl /srv/web/
WORKDIR /srv/web
USER www-data
ENTRYPOINT ["perl", "server.pl"]
CMD ["80"]
`

const chosen: Partial<MachineSettings> = {
  hostname: 'kiosk',
  user: { name: 'ada', passwordHash: HASH, sudo: true },
  sshKeys: [KEY],
  sshServer: true,
  timeZone: 'Europe/Berlin',
  keyboard: 'de',
  wifi: { name: 'nowhere', key: WIFI_KEY },
  serialConsole: true,
  swapBytes: 32 * MIB,
}

const scope = openScope()
let folder = ''
let host = ''

beforeAll(async () => {
  setDirectWorker(join(OUT, 'direct/direct.cjs'))
  const tests = await testEngine()
  scope.defer(() => tests.stop())
  host = tests.host
  folder = await mkdtemp(join(tmpdir(), 'slipway-machine-'))
  scope.defer(() => rm(folder, { recursive: true, force: true }))
  await writeFile(join(folder, 'server.pl'), SERVER)
  await writeFile(join(folder, 'Dockerfile'), DOCKERFILE)
  for (const [path, text] of planted) {
    await mkdir(join(folder, 'planted', dirname(path)), { recursive: true })
    await writeFile(join(folder, 'planted', path), `${text}\n`)
  }
  await execa('docker', ['-H', host, 'build', '-q', '-t', IMAGE, folder])
  // It fails when one of them is not there.
  const paths = planted.map(([path]) => `/${path}`)
  const look = ['run', '--rm', '--network', 'none', '--entrypoint', 'ls', IMAGE]
  await execa('docker', ['-H', host, ...look, ...paths, '/etc/systemd/system/getty.target', '/.dockerenv'])
  const before = process.env['SLIPWAY_BUILD_NETWORK']
  // The bridge of the tests' engine leads nowhere.
  process.env['SLIPWAY_BUILD_NETWORK'] = 'host'
  scope.defer(async () => {
    if (before === undefined) delete process.env['SLIPWAY_BUILD_NETWORK']
    else process.env['SLIPWAY_BUILD_NETWORK'] = before
    const { stdout } = await execa('docker', ['-H', host, 'inspect', '--format', '{{.Id}}', IMAGE])
    const prepared = `slipway/prepared:${stdout.replace('sha256:', '').slice(0, 12)}`
    await execa('docker', ['-H', host, 'rmi', prepared, IMAGE])
  })
})
afterAll(() => scope.close())

/** All command lines that are seen while something runs, of every process of this computer, each once. */
function watchCommandLines(): () => Set<string> {
  const seen = new Set<string>()
  const look = setInterval(() => {
    for (const name of readdirSync('/proc')) {
      if (!/^\d+$/.test(name)) continue
      try {
        seen.add(readFileSync(`/proc/${name}/cmdline`, 'latin1').replaceAll('\0', ' '))
      } catch {
        // It has ended meanwhile.
      }
    }
  }, 100)
  return () => {
    clearInterval(look)
    return seen
  }
}

/** Secrets are in the disk alone: in no line of the build, no layer and no argument of a program. */
async function checkSecrets(log: readonly string[], commandLines: Set<string>): Promise<void> {
  const { stdout: id } = await execa('docker', ['-H', host, 'inspect', '--format', '{{.Id}}', IMAGE])
  const prepared = `slipway/prepared:${id.replace('sha256:', '').slice(0, 12)}`
  const history = await execa('docker', ['-H', host, 'history', '--no-trunc', prepared])
  const configuration = await execa('docker', ['-H', host, 'inspect', prepared])
  // What is looked through is what it should be.
  expect(log.join('\n')).toContain('wpasupplicant')
  expect(history.stdout).toContain('wpasupplicant')
  expect([...commandLines].join('\n')).toContain('wpasupplicant')
  for (const text of [...log, history.stdout, configuration.stdout, ...commandLines]) {
    for (const secret of [HASH, HASH.split('$')[3] ?? '', WIFI_KEY]) expect(text).not.toContain(secret)
  }
}

/** What was planted is in the image that is built from, and not on the disk, before anything has booted. */
async function checkResidue(disk: string): Promise<void> {
  const root = `${disk}?offset=${65 * MIB}`
  const stat = async (path: string): Promise<string> => {
    const { stdout, stderr } = await execa('debugfs', ['-R', `stat /${path}`, root])
    return stdout + stderr
  }
  for (const [path] of planted) {
    const found = await stat(path)
    if (path === 'etc/machine-id') expect(found).toMatch(/Size: 0\n/)
    else expect(found, path).toContain('File not found')
  }
  expect(await stat('etc/systemd/system/getty.target')).toContain('File not found')
  expect(await stat('.dockerenv')).toContain('File not found')
}

/** The image prepared and on a disk, and room behind it as on a larger drive. */
async function buildDisk(): Promise<string> {
  const found = await findEngine({ ...ownSurroundings(), environment: { DOCKER_HOST: host } })
  if (!found.ok) throw new Error(found.failure.code)
  const source = imageSource(found.value.docker, IMAGE)
  const facts = await source.inspect(AbortSignal.timeout(60_000))
  if (!facts.ok) throw new Error(facts.failure.code)
  const defaults = defaultSettingsFor(facts.value)
  expect(facts.value.missing).toEqual(['kernel', 'initramfs', 'init', 'login', 'network'])
  expect(defaults.preparation).toEqual({ dockerfile: null, anew: false })
  const outputPath = join(folder, 'disk.img')
  const manager = createJobManager()
  const commandLines = watchCommandLines()
  const started = manager.start(
    buildWork({
      source,
      settings: {
        ...defaults,
        machine: { ...defaults.machine, ...chosen },
        kernelArguments: 'console=tty0 console=ttyS0',
      },
      outputPath,
      library: openLibrary(join(folder, 'library'), () => undefined),
    }),
  )
  if (!started.ok) throw new Error(started.failure.code)
  const ending = await started.value.ending
  const seen = commandLines()
  if (ending.state !== 'succeeded') throw new Error(JSON.stringify(ending))
  const log = manager.log(started.value.id)
  await checkSecrets(log.ok ? log.value : [], seen)
  await checkResidue(outputPath)
  await truncate(outputPath, (await stat(outputPath)).size + 600 * MIB)
  return outputPath
}

async function checkMachine(console: SerialConsole): Promise<void> {
  expect(await console.run('systemctl is-system-running --wait', 300_000)).toBe('running')
  expect(await console.run('systemctl --failed --no-legend')).toBe('')
  expect(await console.run('systemd-detect-virt --container')).toBe('none')
  expect(await console.run('hostname; date +%Z')).toMatch(/^kiosk\nCES?T$/)
  expect(await console.run('id -un 1000; id -Gn ada')).toMatch(/^ada\nada .*sudo/)
  expect(await console.run('stat -c "%U %a" /home/ada /home/ada/.ssh/authorized_keys')).toBe(
    'ada 700\nada 600',
  )
  // The password is the user's, by the machine's own judgement.
  expect(await console.run('runuser -u ada -- sh -c "echo secret | sudo -S -p \'\' id -u 2>/dev/null"')).toBe(
    '0',
  )
  const address = 'ip -4 -o address show scope global | cut -d" " -f2,7'
  expect(await console.run(address)).toMatch(/^(?!eth0)en\S+ 10\.0\.2\.15\/24$/)
  expect(await console.run('grep -c ^nameserver /etc/resolv.conf')).toMatch(/^[1-9]/)
  expect(await console.run('ls /etc/ssh/ssh_host_ed25519_key; systemctl is-active ssh')).toMatch(
    /key\nactive$/,
  )
  expect(await console.run('ls /etc/slipway; grep -c ^/swapfile /proc/swaps')).toBe('boot\n1')
  expect(Number(await console.run('df -m --output=size / | tail -n 1'))).toBeGreaterThan(1900)
  expect(await console.run('journalctl -t slipway-application -o cat')).toContain('serving on 80')
}

async function boot(disk: string): Promise<Machine> {
  const started = await startMachine({
    diskPath: disk,
    firmware: 'uefi',
    attachment: 'virtio',
    ports: [{ hostPort: 0, guestPort: 80 }],
    signal: new AbortController().signal,
    log: () => undefined,
  })
  if (!started.ok) throw new Error(JSON.stringify(started.failure))
  scope.defer(async () => {
    await started.value.stop()
  })
  return started.value
}

/** What tells a machine from all others, once it has been made. */
async function identityOf(console: SerialConsole): Promise<string[]> {
  const text = await console.run(
    'systemctl start slipway-boot; cat /etc/machine-id /var/lib/dbus/machine-id; for key in /etc/ssh/ssh_host_*_key.pub; do ssh-keygen -lf $key | cut -d" " -f2; done',
    300_000,
  )
  const [id = '', busId, ...fingerprints] = text.split('\n')
  expect(id).toMatch(/^[0-9a-f]{32}$/)
  expect(busId).toBe(id)
  // RSA, ECDSA and Ed25519 (ssh-keygen(1), `-A`).
  expect(fingerprints).toHaveLength(3)
  return [id, ...fingerprints]
}

/** Chooses the entry of the boot menu that has its console on the serial port. */
async function chooseSerial(machine: Machine): Promise<void> {
  const chosenEntry = new AbortController()
  const end = machine.onSerial((bytes) => {
    if (bytes.includes('Linux version')) chosenEntry.abort()
  })
  for (let tries = 0; tries < 600 && !chosenEntry.signal.aborted; tries++) {
    await machine.typeText('s', chosenEntry.signal)
    await sleep(200)
  }
  end()
}

let disk = ''
/** What each machine is known by. */
const identities: string[][] = []

beforeAll(async () => {
  disk = await buildDisk()
})

// Side by side: under emulation each keeps one processor busy for minutes.
describe.concurrent('of one disk', () => {
  test('an application image boots into what it is for, as it was set', async () => {
    const machine = await boot(disk)
    const console = serialConsole(machine)
    await console.logIn(400_000)
    await checkMachine(console)
    const identity = await identityOf(console)
    identities.push(identity)
    const blob = Buffer.from(KEY.split(' ')[1] ?? '', 'base64')
    const shared = createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')
    expect([PLANTED_ID, `SHA256:${shared}`].filter((one) => identity.includes(one))).toEqual([])
    expect(await console.run('stat -c %a /etc/wpa_supplicant/slipway.conf')).toBe('600')
    const port = machine.forwards[0]?.hostPort ?? 0
    const answer = await fetch(`http://127.0.0.1:${port}/`)
    expect(await answer.text()).toBe(`it's 100% "quoted" $HOME|x y|/srv/web\nwww-data\n`)
    await machine.stop()
  })

  test('another machine boots by its serial entry in the boot menu', async () => {
    const machine = await boot(disk)
    await chooseSerial(machine)
    const console = serialConsole(machine)
    await console.logIn(400_000)
    // The first entry has what was chosen for both; this one has more.
    expect(await console.run('cat /proc/cmdline')).toMatch(/ console=tty0 console=ttyS0,115200$/)
    identities.push(await identityOf(console))
    await machine.stop()
  })
})

test('two machines of one disk are two', () => {
  const [first = [], second = []] = identities
  expect([first.length, second.length]).toEqual([4, 4])
  expect(second.filter((one) => first.includes(one))).toEqual([])
})
