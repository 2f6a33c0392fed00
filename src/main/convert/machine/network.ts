import { fail, ok, type Result } from '../../../shared/failure'
import type { MachineSettings } from '../../../shared/machine'
import type { InspectedImage } from '../../source/tree-source'
import type { AddedEntry, TreeEdits } from '../edits'
import { noEdits } from '../edits'
import { alias, wantedBy } from './systemd'
import { linesOf, linkTo, shellWord, textFile } from './text'

type Manager = NonNullable<InspectedImage['network']>

/** Of several files that fit an interface the first by name counts (systemd.network(5)), the image's own among them. */
const NETWORKD_FOLDER = 'etc/systemd/network'
/** The highest there is: of several connections that fit an interface, that is taken (nm-settings-nmcli(5), `connection.autoconnect-priority`). */
const FIRST_CHOICE = 'autoconnect-priority=999'
const INTERFACES_SCRIPT = 'etc/slipway/interfaces'
const MAPPING_SCRIPT = 'etc/slipway/interface-mapping'
const WPA_CONFIGURATION = 'etc/wpa_supplicant/slipway.conf'

/**
 * The network, by whatever the image has for it. Interfaces are told by what
 * they are, never by a name: names differ from machine to machine.
 * @param image what the image has
 * @param machine what was chosen
 * @returns `setting-unmet` when the image has nothing that could do it
 */
export function networkEdits(image: InspectedImage, machine: MachineSettings): Result<TreeEdits> {
  const { network, wifi } = machine
  if (network.kind === 'keep' && wifi === null) return ok(noEdits)
  const manager = managerOf(image)
  if (manager === null) return fail('setting-unmet', { image: image.name, setting: 'network' })
  return ok({ ...noEdits, added: makers[manager](machine, image) })
}

/** What runs already; else what is there and can also tell the resolver. */
function managerOf(image: InspectedImage): Manager | null {
  if (image.network !== null) return image.network
  const has = (name: InspectedImage['equipment'][number]): boolean => image.equipment.includes(name)
  if (image.init?.kind === 'systemd') {
    if (has('NetworkManager')) return 'NetworkManager'
    if (has('systemd-networkd') && has('systemd-resolved')) return 'systemd-networkd'
  }
  return has('ifup') ? 'ifupdown' : null
}

const makers: Record<Manager, (machine: MachineSettings, image: InspectedImage) => AddedEntry[]> = {
  'systemd-networkd': networkdFiles,
  NetworkManager: networkManagerFiles,
  ifupdown: ifupdownFiles,
}

function networkdFiles({ network, wifi }: MachineSettings): AddedEntry[] {
  const added: AddedEntry[] = [
    wantedBy('systemd-networkd.service', 'multi-user.target'),
    wantedBy('systemd-networkd.socket', 'sockets.target'),
    alias('dbus-org.freedesktop.network1.service', 'systemd-networkd.service'),
    wantedBy('systemd-resolved.service', 'multi-user.target'),
    alias('dbus-org.freedesktop.resolve1.service', 'systemd-resolved.service'),
    linkTo('etc/resolv.conf', '../run/systemd/resolve/stub-resolv.conf'),
  ]
  if (network.kind !== 'keep') {
    const how =
      network.kind === 'dhcp'
        ? ['DHCP=yes']
        : [
            `Address=${network.address}`,
            ...(network.gateway === null ? [] : [`Gateway=${network.gateway}`]),
            ...network.nameservers.map((server) => `DNS=${server}`),
          ]
    added.push(
      textFile(`${NETWORKD_FOLDER}/0-slipway-ethernet.network`, [
        '[Match]',
        'Type=ether',
        // Adapters alone: bridges and the ends of containers are of this type, too. Systemd before 251 passes over it.
        'Kind=!*',
        '',
        '[Network]',
        ...how,
      ]),
    )
  }
  if (wifi !== null) {
    added.push(
      wpaConfiguration(wifi),
      textFile(`${NETWORKD_FOLDER}/0-slipway-wifi.network`, [
        ...['[Match]', 'Type=wlan', '', '[Network]', 'DHCP=yes', '', '[DHCPv4]'],
        // Where both are plugged in, the cable is taken.
        'RouteMetric=2048',
      ]),
      // The template of the distribution has to be enabled by an interface's name, which nobody knows yet.
      textFile('etc/udev/rules.d/99-slipway-wifi.rules', [
        'ACTION=="add", SUBSYSTEM=="net", ENV{DEVTYPE}=="wlan", TAG+="systemd", ENV{SYSTEMD_WANTS}+="slipway-wifi@$name.service"',
      ]),
      textFile('etc/systemd/system/slipway-wifi@.service', [
        '[Unit]',
        'Description=Wi-Fi on %I',
        'BindsTo=sys-subsystem-net-devices-%i.device',
        'After=sys-subsystem-net-devices-%i.device',
        '',
        '[Service]',
        `ExecStart=wpa_supplicant -c /${WPA_CONFIGURATION} -i %I`,
        'Restart=on-failure',
        'RestartSec=5',
      ]),
    )
  }
  return added
}

/** Its keyfiles (nm-settings-keyfile(5)). */
function networkManagerFiles({ network, wifi }: MachineSettings): AddedEntry[] {
  const folder = 'etc/NetworkManager/system-connections'
  const added: AddedEntry[] = [wantedBy('NetworkManager.service', 'multi-user.target')]
  if (network.kind !== 'keep') {
    added.push(
      textFile(
        `${folder}/slipway-ethernet.nmconnection`,
        [
          ...['[connection]', 'id=slipway-ethernet', 'type=ethernet', FIRST_CHOICE],
          // On every Ethernet that there is, not on the first alone.
          'multi-connect=3',
          ...networkManagerAddresses(network),
        ],
        0o600,
      ),
      // Ubuntu's file of this name leaves all but Wi-Fi unmanaged; of one name that in /etc counts (NetworkManager.conf(5)).
      textFile('etc/NetworkManager/conf.d/10-globally-managed-devices.conf', [
        '# Written by Slipway: no device is left unmanaged, as it would be by the file of this name in /usr/lib.',
      ]),
    )
  }
  if (wifi !== null) {
    // As bytes, which any name is.
    const name = [...Buffer.from(wifi.name, 'utf8')].map((byte) => `${byte};`).join('')
    added.push(
      textFile(
        `${folder}/slipway-wifi.nmconnection`,
        [
          ...['[connection]', 'id=slipway-wifi', 'type=wifi', FIRST_CHOICE, '', '[wifi]', `ssid=${name}`, ''],
          ...['[wifi-security]', 'key-mgmt=wpa-psk', `psk=${wifi.key}`],
        ],
        0o600,
      ),
    )
  }
  return added
}

function networkManagerAddresses(network: Exclude<MachineSettings['network'], { kind: 'keep' }>): string[] {
  if (network.kind === 'dhcp') return ['', '[ipv4]', 'method=auto', '', '[ipv6]', 'method=auto']
  const version = network.address.includes(':') ? 'ipv6' : 'ipv4'
  const address = [network.address, ...(network.gateway === null ? [] : [network.gateway])].join(',')
  const method = (one: 'ipv4' | 'ipv6'): string[] => {
    const servers = network.nameservers.filter((server) => server.includes(':') === (one === 'ipv6'))
    return [
      '',
      `[${one}]`,
      ...(one === version
        ? ['method=manual', `address1=${address}`]
        : [`method=${one === 'ipv6' ? 'auto' : 'disabled'}`]),
      ...(servers.length === 0 ? [] : [`dns=${servers.join(';')};`]),
    ]
  }
  return [...method('ipv4'), ...method('ipv6')]
}

/**
 * interfaces(5). Debian's has patterns of names, since it knows no types: all that Ethernet and Wi-Fi are called by.
 * Alpine's have none: a service of OpenRC writes the names down at each boot.
 */
function ifupdownFiles({ network, wifi }: MachineSettings, image: InspectedImage): AddedEntry[] {
  const isWritten = image.init?.kind === 'openrc' && image.packageManager !== 'apt'
  const own = image.files.interfaces
  // With Wi-Fi alone the image's own lines stay.
  const lines =
    network.kind === 'keep' && own !== null ? linesOf(own.text) : ['auto lo', 'iface lo inet loopback']
  const added: AddedEntry[] = []
  const ethernet = network.kind === 'keep' ? null : ethernetLines(network)
  const wireless = wifi === null ? null : ['inet dhcp', `    wpa-conf /${WPA_CONFIGURATION}`]
  if (!isWritten) {
    if (ethernet !== null) {
      lines.push('', ...mapping('ethernet', ['en*', 'eth*']), 'auto /en* /eth*')
      // For one that appears later, such as an adapter on USB; ifup leaves alone what is up.
      lines.push('allow-hotplug /en* /eth*', ...stanza('ethernet', ethernet))
    }
    if (wireless !== null) {
      lines.push('', ...mapping('wireless', ['wl*']), 'allow-hotplug /wl*', ...stanza('wireless', wireless))
    }
    if (ethernet !== null || wireless !== null) added.push(mappingScript)
  }
  if (network.kind === 'static' && network.nameservers.length > 0) {
    const servers = network.nameservers.map((server) => `nameserver ${server}`)
    added.push(textFile('etc/resolv.conf', servers))
  }
  if (wifi !== null) added.push(wpaConfiguration(wifi))
  if (isWritten) added.push(...interfacesService(lines, ethernet, wireless))
  // Bytes as they are.
  else
    added.push({
      ...{ path: 'etc/network/interfaces', kind: 'file', mode: own?.mode ?? 0o644 },
      content: Buffer.from(`${lines.join('\n')}\n`, 'latin1'),
    })
  if (image.init?.kind === 'systemd') {
    added.push(wantedBy('networking.service', 'multi-user.target'))
    if (ethernet !== null) added.push(waitForInterfaces)
  }
  if (isWritten) added.push(linkTo('etc/runlevels/boot/networking', '/etc/init.d/networking'))
  return added
}

/** What comes behind the interface's name. */
function ethernetLines(network: Exclude<MachineSettings['network'], { kind: 'keep' }>): string[] {
  if (network.kind === 'dhcp') return ['inet dhcp']
  return [
    `${network.address.includes(':') ? 'inet6' : 'inet'} static`,
    `    address ${network.address}`,
    ...(network.gateway === null ? [] : [`    gateway ${network.gateway}`]),
  ]
}

function stanza(name: string, [first = '', ...rest]: readonly string[]): string[] {
  return [`iface ${name} ${first}`, ...rest]
}

/** By itself the unit does not wait for udev while no interface is there that fits a pattern of `auto`. */
const waitForInterfaces = textFile('etc/systemd/system/ifupdown-pre.service.d/slipway.conf', [
  '[Service]',
  'ExecStart=',
  'ExecStart=-/bin/udevadm settle',
])

/** Prints what stands behind `map`. */
const mappingScript = textFile(MAPPING_SCRIPT, ['#!/bin/sh', '# Written by Slipway.', 'cat'], 0o755)

/**
 * The stanza of an interface that is brought up by its name, as udev does it. What stands behind a pattern's `=` is for
 * `ifup -a` alone: `ifup --allow=hotplug wlan0` does not know the interface then.
 */
function mapping(name: string, patterns: readonly string[]): string[] {
  return [`mapping ${patterns.join(' ')}`, `    script /${MAPPING_SCRIPT}`, `    map ${name}`]
}

/**
 * Writes /etc/network/interfaces at each boot, with the interfaces that there are: adapters (what has a device) whose
 * type is Ethernet's (1, ARPHRD_ETHER), those with a radio apart (Documentation/ABI/testing/sysfs-class-net).
 * @param first lines before them
 * @param ethernet what to do with a cable's, or null for nothing
 * @param wireless what to do with a radio's
 */
function interfacesService(
  first: readonly string[],
  ethernet: readonly string[] | null,
  wireless: readonly string[] | null,
): AddedEntry[] {
  const print = (lines: readonly string[] | null): string[] =>
    lines === null
      ? ['        :']
      : [
          `        printf '\\nauto %s\\niface %s %s\\n' "$name" "$name" ${shellWord(lines[0] ?? '')}`,
          ...lines.slice(1).map((line) => `        printf '%s\\n' ${shellWord(line)}`),
        ]
  return [
    textFile(
      INTERFACES_SCRIPT,
      [
        '#!/bin/sh',
        '# Written by Slipway: /etc/network/interfaces, by what the interfaces are.',
        'interfaces() {',
        ...first.map((line) => `    printf '%s\\n' ${shellWord(line)}`),
        '    for device in "$1"/*; do',
        '        [ -e "$device/device" ] && [ "$(cat "$device/type")" = 1 ] || continue',
        '        name=${device##*/}',
        '        if [ -e "$device/phy80211" ] || [ -e "$device/wireless" ]; then',
        ...print(wireless),
        '        else',
        ...print(ethernet),
        '        fi',
        '    done',
        '}',
        'interfaces "${1:-/sys/class/net}" > "${2:-/etc/network/interfaces}"',
      ],
      0o755,
    ),
    textFile(
      'etc/init.d/slipway-interfaces',
      [
        '#!/sbin/openrc-run',
        '# Written by Slipway.',
        'description="Network interfaces, by what they are"',
        'depend() {',
        '    after localmount modules hwdrivers',
        '    before networking',
        '}',
        'start() {',
        '    ebegin "$description"',
        `    /bin/sh /${INTERFACES_SCRIPT}`,
        '    eend $?',
        '}',
      ],
      0o755,
    ),
    linkTo('etc/runlevels/boot/slipway-interfaces', '/etc/init.d/slipway-interfaces'),
  ]
}

/** wpa_supplicant.conf(5): the name in hexadecimal digits, which any bytes are, and the derived key instead of the passphrase. */
function wpaConfiguration({ name, key }: NonNullable<MachineSettings['wifi']>): AddedEntry {
  const lines = [
    'ctrl_interface=/run/wpa_supplicant',
    'network={',
    `    ssid=${Buffer.from(name, 'utf8').toString('hex')}`,
    `    psk=${key}`,
    '}',
  ]
  return textFile(WPA_CONFIGURATION, lines, 0o600)
}
