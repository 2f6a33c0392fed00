/**
 * What `npm run matrix` builds and boots. `suite` is Debian's, or Ubuntu's with `ubuntu`; `include` packages of the base image; `dockerfile`
 * lines after its FROM; `machine` settings beyond the defaults; `login` who logs in at the serial console; `options`
 * of `slipway build`; `saved`: built from what `docker save` writes, with no engine.
 *
 * @typedef {{ title: string, command: string, answer: RegExp }} Check
 * @typedef {{
 *   name: string, about: string, suite: string, ubuntu?: boolean, include?: string[], dockerfile?: string[], files?: Record<string, string>,
 *   prepare: boolean, machine: object, firmware: 'bios' | 'uefi', login: { name: string, password: string | null },
 *   port?: number, growBytes?: number, bootTwice?: boolean, options?: string[], saved?: boolean, checks: Check[],
 * }} Entry
 */

/** crypt(5) of “secret”, with which nobody but these machines is locked. */
const HASH =
  '$6$abcdefgh$ltjgWl6579NluT/Vi1nwEvcil.G5Nbc4NiXZaNGStk8PSwGfQv72N2CKPPrVACtLtip/cZ/1GM/O6IND4WQhG.'
const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE3sXkzYk0Cq8m0fXvV2i1uY0bP1o8y3sHjvJgJr5X2l ada@desk'
const MIB = 1024 * 1024

/** A network whose key is nobody's: 32 bytes in place of what a passphrase would give. */
const WIFI = { name: 'Café Größe', key: 'c0ffee'.repeat(11).slice(0, 64) }

const root = { name: 'root', password: null }
const ada = { name: 'ada', password: 'secret' }

/** All that can be chosen, but what would keep the machine from the network. */
const everything = {
  hostname: 'kiosk',
  rootPassword: { kind: 'locked' },
  user: { name: 'ada', passwordHash: HASH, sudo: true },
  sshKeys: [KEY],
  sshServer: true,
  network: { kind: 'dhcp' },
  timeZone: 'Europe/Berlin',
  locale: 'de_DE.UTF-8',
  keyboard: 'de',
  serialConsole: true,
  swapBytes: 64 * MIB,
  growRoot: true,
  runCommand: true,
}

/** A web server of what every Debian has, which opens /dev/stdout by name as many images do. */
const server = `use IO::Socket::INET;
open(my $log, '>>', '/dev/stdout') or die "no stdout: $!";
my $s = IO::Socket::INET->new(LocalPort => $ARGV[0], Listen => 5, ReuseAddr => 1) or die $!;
print $log "serving\\n"; close $log;
while (my $c = $s->accept) {
  my $l = <$c>;
  my $body = "$ENV{GREETING}|$ENV{'my.odd'}|" . \`pwd\` . \`id -un\`;
  print $c "HTTP/1.0 200 OK\\r\\n\\r\\n$body";
  close $c;
}
`
const webServer = {
  files: { 'server.pl': server },
  dockerfile: [
    `ENV GREETING="it's 100% \\"quoted\\" \\$HOME" my.odd="x y"`,
    'COPY server.pl /srv/web/',
    'WORKDIR /srv/web',
    'USER www-data',
    'EXPOSE 80',
    'ENTRYPOINT ["perl", "server.pl"]',
    'CMD ["80"]',
  ],
  prepare: true,
  login: ada,
  port: 80,
  growBytes: 700 * MIB,
}
export const GREETING = `it's 100% "quoted" $HOME|x y|/srv/web\nwww-data\n`

/** @param {string} title @param {string} command @param {RegExp} answer @returns {Check} */
const check = (title, command, answer) => ({ title, command, answer })

const residue = check(
  'nothing says that it is a container',
  'ls -d /.dockerenv /run/.containerenv /run/systemd/container /usr/sbin/policy-rc.d /etc/apt/apt.conf.d/docker-* /etc/dpkg/dpkg.cfg.d/docker* 2>/dev/null; findmnt -no SOURCE,OPTIONS / | tr , "\\n" | grep -xE "/dev/.* rw|rw" | tail -n 1',
  /^(\/dev\/\S+ +)?rw$/,
)
const systemd = [
  check(
    'no unit failed',
    'systemctl is-system-running --wait; for unit in $(systemctl --failed --no-legend --plain | cut -d" " -f1); do journalctl --no-pager -n 20 -u $unit; done',
    /^running$/,
  ),
  check('systemd-detect-virt finds no container', 'systemd-detect-virt --container', /^none$/),
  check('a machine id of its own', 'cat /etc/machine-id', /^[0-9a-f]{32}$/),
  residue,
]
const dhcp = [
  check(
    'DHCP on an interface that is not eth0',
    'ip -4 -o address show scope global | cut -d" " -f2,7',
    /^(?!eth0)en\S+ 10\.0\.2\.15\/24$/,
  ),
  check('a name server', 'grep -c ^nameserver /etc/resolv.conf', /^[1-9]/),
]
const chosen = [
  check('host name', 'hostname', /^kiosk$/),
  check('user with sudo', 'id -Gn ada', /^ada .*\bsudo\b/),
  check('root is locked', 'passwd -S root', /^root L /),
  check(
    'home and keys are the user’s alone',
    'stat -c "%U %a" /home/ada /home/ada/.ssh /home/ada/.ssh/authorized_keys',
    /^ada 700\nada 700\nada 600$/,
  ),
  check('time zone', 'date +%Z', /^CES?T$/),
  check(
    'language',
    'locale -a | grep -i de_DE.utf8; . /etc/default/locale; echo $LANG',
    /^de_DE.utf8\nde_DE.UTF-8$/,
  ),
  check('keyboard', 'cat /etc/default/keyboard | grep LAYOUT', /"de"/),
  check(
    'new SSH host keys, and sshd listens',
    'ls /etc/ssh/ssh_host_ed25519_key && exec 3<>/dev/tcp/127.0.0.1/22 && head -c 7 <&3',
    /SSH-2.0$/,
  ),
  check('swap', 'grep -c ^/swapfile /proc/swaps', /^1$/),
]
/** In the network that QEMU makes for its machines (qemu-options, `-netdev user`). */
const fixed = { kind: 'static', address: '10.0.2.77/24', gateway: '10.0.2.2', nameservers: ['10.0.2.3'] }
const fixedAddress = [
  check(
    'the fixed address, and it alone',
    'ip -4 -o address show scope global | cut -d" " -f7',
    /^10\.0\.2\.77\/24$/,
  ),
  check('the way out', 'ip route show default | cut -d" " -f3', /^10\.0\.2\.2$/),
  check('the name server', 'cat /etc/resolv.conf; resolvectl dns 2>/dev/null', /10\.0\.2\.3/),
]
const bootable = [
  'ARG DEBIAN_FRONTEND=noninteractive',
  'RUN apt-get update && apt-get install -y linux-image-amd64 systemd-sysv console-setup-linux udev iproute2 && passwd -d root',
]
/** Sectors between the root's end and the drive's, where the second partition table lies, and MiB that its file system leaves of it (a last group of blocks that would hold little more than itself is left out). */
const grown = check(
  'the root took the whole drive',
  [
    'root=$(findmnt -no SOURCE /); part=/sys/class/block/${root##*/}; ls /etc/slipway | grep grow-root',
    'blocks=$(dumpe2fs -h $root 2>/dev/null | awk \'/^Block count/ { count = $3 } /^Block size/ { printf "%d", count * $3 / 1048576 }\')',
    'echo $(($(cat $part/../size) - $(cat $part/start) - $(cat $part/size))) $(($(cat $part/size) / 2048 - blocks))',
  ].join('; '),
  /^\d{1,4} \d$/,
)

/**
 * A Wi-Fi network in the machine itself, which it joins.
 * @param {string} unit that udev starts for the radio
 */
const wifiJoined = (unit) => [
  check('the key is root’s alone', 'stat -c "%U %a" /etc/wpa_supplicant/slipway.conf', /^root 600$/),
  // The second radio goes to an access point in a network of its own, which also gives out addresses.
  check(
    'an access point',
    [
      'modprobe mac80211_hwsim radios=2; ip netns add ap; sleep 2',
      'iw phy phy1 set netns name ap',
      'radio=$(ip netns exec ap ls /sys/class/net | grep -v lo)',
      'ip netns exec ap ip address add 10.9.0.1/24 dev $radio',
      `printf 'interface=%s\\nssid2=${Buffer.from(WIFI.name).toString('hex')}\\nhw_mode=g\\nchannel=1\\nwpa=2\\nwpa_key_mgmt=WPA-PSK\\nrsn_pairwise=CCMP\\nwpa_psk=${WIFI.key}\\n' $radio > /run/ap.conf`,
      'ip netns exec ap hostapd -B /run/ap.conf',
      'ip netns exec ap dnsmasq --interface=$radio --port=0 --dhcp-range=10.9.0.10,10.9.0.20 --dhcp-leasefile=/run/ap.leases',
    ].join('; '),
    /AP-ENABLED/,
  ),
  check(
    'an address from it, by the unit that udev started',
    `for i in $(seq 60); do ip -4 -o address show wlan0 | grep -q 10.9.0 && break; sleep 2; done; ip -4 -o address show wlan0; systemctl is-active ${unit}`,
    / 10\.9\.0\.1\d\/24 [^]*active$/,
  ),
  check(
    'the cable comes first where both are plugged in',
    'ip route get 1.1.1.1 | grep -o "dev [a-z]*"',
    /^dev en/,
  ),
]

/** @type {Entry[]} */
export const entries = [
  {
    name: 'debian-12',
    about: 'plain Debian 12 with a web server as ENTRYPOINT, and every setting',
    suite: 'bookworm',
    ...webServer,
    machine: everything,
    firmware: 'uefi',
    bootTwice: true,
    checks: [...systemd, ...dhcp, ...chosen, grown],
  },
  {
    name: 'debian-13',
    about: 'plain Debian 13, with every setting',
    suite: 'trixie',
    prepare: true,
    machine: { ...everything, runCommand: false },
    firmware: 'bios',
    login: ada,
    growBytes: 700 * MIB,
    checks: [...systemd, ...dhcp, ...chosen, grown],
  },
  {
    name: 'debian-sid',
    about: 'plain Debian sid, with every setting',
    suite: 'sid',
    prepare: true,
    machine: { ...everything, runCommand: false },
    firmware: 'uefi',
    login: ada,
    growBytes: 700 * MIB,
    checks: [...systemd, ...dhcp, ...chosen, grown],
  },
  {
    name: 'debian-11',
    about: 'plain Debian 11, with the defaults',
    suite: 'bullseye',
    prepare: true,
    machine: {},
    firmware: 'bios',
    login: root,
    checks: [...systemd, ...dhcp],
  },
  {
    name: 'ubuntu-24.04',
    about: 'plain Ubuntu 24.04 with a web server as ENTRYPOINT, and every setting',
    suite: 'noble',
    ubuntu: true,
    ...webServer,
    machine: everything,
    firmware: 'uefi',
    checks: [...systemd, ...dhcp, ...chosen, grown],
  },
  {
    name: 'sysvinit',
    about: 'Debian 12 with sysvinit and a web server as ENTRYPOINT, and every setting',
    suite: 'bookworm',
    include: ['sysvinit-core'],
    ...webServer,
    machine: everything,
    firmware: 'bios',
    checks: [
      check('sysvinit is what runs', 'cat /proc/1/comm', /^init$/),
      residue,
      ...dhcp,
      ...chosen,
      grown,
    ],
  },
  {
    name: 'openrc',
    about: 'Debian 12 with OpenRC and a web server as ENTRYPOINT, and every setting but the language',
    suite: 'bookworm',
    include: ['sysvinit-core', 'openrc', 'ifupdown', 'isc-dhcp-client'],
    ...webServer,
    machine: { ...everything, locale: null },
    firmware: 'bios',
    checks: [
      check('OpenRC is what runs', 'cat /run/openrc/softlevel', /^default$/),
      check(
        'its services run',
        'for name in slipway-boot slipway-application; do rc-service $name status; done 2>&1 | grep -c started; rc-status --crashed',
        /^2$/,
      ),
      residue,
      ...dhcp,
      ...chosen.filter(({ title }) => title !== 'language'),
      grown,
    ],
  },
  {
    name: 'wifi',
    about: 'Debian 12 that joins a Wi-Fi network, by the kernel’s two simulated radios',
    suite: 'bookworm',
    include: ['hostapd', 'dnsmasq-base', 'iw'],
    prepare: true,
    machine: { wifi: WIFI },
    firmware: 'bios',
    login: root,
    checks: [...systemd, ...dhcp, ...wifiJoined('slipway-wifi@wlan0')],
  },
  {
    name: 'wifi-ifupdown',
    about: 'Debian 12 with ifupdown that joins a Wi-Fi network, by the kernel’s two simulated radios',
    suite: 'bookworm',
    include: ['hostapd', 'dnsmasq-base', 'iw', 'ifupdown', 'isc-dhcp-client'],
    prepare: true,
    machine: { wifi: WIFI },
    firmware: 'bios',
    login: root,
    checks: [...systemd, ...dhcp, ...wifiJoined('ifup@wlan0')],
  },
  {
    name: 'bootable',
    about: 'the HOWTO’s machine, which boots already and is left alone',
    suite: 'bookworm',
    dockerfile: bootable,
    prepare: false,
    machine: {},
    firmware: 'bios',
    login: root,
    checks: systemd,
  },
  {
    name: 'network-manager',
    about:
      'Debian 12 with NetworkManager and chrony, an address of its own and two consoles in the boot menu',
    suite: 'bookworm',
    include: ['network-manager', 'chrony'],
    prepare: true,
    machine: { hostname: 'fixed', network: fixed, serialConsole: true },
    firmware: 'bios',
    login: root,
    checks: [
      ...systemd,
      ...fixedAddress,
      check('its manager', 'nmcli -t -f state general', /^connected/),
      check('its own time service', 'systemctl is-active chrony', /^active$/),
    ],
  },
  {
    name: 'ifupdown',
    about: 'Debian 12 with ifupdown and an address of its own',
    suite: 'bookworm',
    include: ['ifupdown'],
    prepare: true,
    machine: { hostname: 'fixed', network: fixed },
    firmware: 'uefi',
    login: root,
    checks: [...systemd, ...fixedAddress],
  },
  {
    name: 'kernel-engine',
    about: 'plain Debian 12 by the kernel engine, with an address of its own and every other setting',
    suite: 'bookworm',
    prepare: true,
    machine: { ...everything, network: fixed, runCommand: false },
    firmware: 'bios',
    login: ada,
    growBytes: 700 * MIB,
    options: ['--engine', 'kernel'],
    checks: [...systemd, ...fixedAddress, ...chosen, grown],
  },
  {
    name: 'archive',
    about: 'the HOWTO’s machine from what docker save wrote, without an engine',
    suite: 'bookworm',
    dockerfile: bootable,
    prepare: false,
    machine: {},
    firmware: 'uefi',
    login: root,
    saved: true,
    checks: [
      ...systemd,
      check('a host name after the image, not that of the official image’s builder', 'hostname', /^archive$/),
      check('no name servers of the builder', 'cat /etc/resolv.conf 2>&1', /No such file/),
    ],
  },
]
