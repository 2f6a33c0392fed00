import { execa } from 'execa'
import { mkdtemp, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { buildWork } from '../../src/main/convert/build'
import { setDirectWorker } from '../../src/main/convert/engines'
import { findEngine, ownSurroundings } from '../../src/main/docker/connect'
import { imageSource } from '../../src/main/docker/source'
import { createJobManager } from '../../src/main/jobs/manager'
import { openScope } from '../../src/main/jobs/scope'
import { openLibrary } from '../../src/main/library/library'
import { startMachine } from '../../src/main/preview/machine'
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
const DOCKERFILE = `FROM ${BASE_IMAGE}
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
  await execa('docker', ['-H', host, 'build', '-q', '-t', IMAGE, folder])
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

/** The image prepared and on a disk, and room behind it as on a larger drive. */
async function buildDisk(): Promise<string> {
  const found = await findEngine({ ...ownSurroundings(), environment: { DOCKER_HOST: host } })
  if (!found.ok) throw new Error(found.failure.code)
  const source = imageSource(found.value.docker, IMAGE)
  const facts = await source.inspect(AbortSignal.timeout(60_000))
  if (!facts.ok) throw new Error(facts.failure.code)
  const defaults = defaultSettingsFor(facts.value)
  expect(facts.value.missing).toEqual(['kernel', 'initramfs', 'init', 'login', 'network'])
  expect(defaults.preparation).toEqual({ dockerfile: null })
  const outputPath = join(folder, 'disk.img')
  const started = createJobManager().start(
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
  if (ending.state !== 'succeeded') throw new Error(JSON.stringify(ending))
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

test('an application image boots into what it is for, as it was set', async () => {
  const disk = await buildDisk()
  const started = await startMachine({
    diskPath: disk,
    firmware: 'uefi',
    attachment: 'virtio',
    ports: [{ hostPort: 0, guestPort: 80 }],
    signal: new AbortController().signal,
    log: () => undefined,
  })
  if (!started.ok) throw new Error(JSON.stringify(started.failure))
  const machine = started.value
  scope.defer(async () => {
    await machine.stop()
  })
  const console = serialConsole(machine)
  await console.logIn(400_000)
  await checkMachine(console)
  const port = machine.forwards[0]?.hostPort ?? 0
  const answer = await fetch(`http://127.0.0.1:${port}/`)
  expect(await answer.text()).toBe(`it's 100% "quoted" $HOME|x y|/srv/web\nwww-data\n`)
})
