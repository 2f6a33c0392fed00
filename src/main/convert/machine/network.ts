import { fail, ok, type Result } from '../../../shared/failure'
import type { MachineSettings } from '../../../shared/machine'
import type { InspectedImage } from '../../source/tree-source'
import type { AddedEntry, TreeEdits } from '../edits'
import { noEdits } from '../edits'
import { alias, wantedBy } from './systemd'
import { linkTo, textFile } from './text'

type Manager = NonNullable<InspectedImage['network']>

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
      textFile('etc/systemd/network/80-slipway-ethernet.network', [
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
      textFile('etc/systemd/network/80-slipway-wifi.network', [
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

/** Its keyfiles (nm-settings-keyfile(5)); without one it takes every Ethernet by DHCP. */
function networkManagerFiles({ network, wifi }: MachineSettings): AddedEntry[] {
  const folder = 'etc/NetworkManager/system-connections'
  const added: AddedEntry[] = [wantedBy('NetworkManager.service', 'multi-user.target')]
  if (network.kind === 'static') {
    const version = network.address.includes(':') ? 'ipv6' : 'ipv4'
    const address = [network.address, ...(network.gateway === null ? [] : [network.gateway])].join(',')
    const servers = { ipv4: [] as string[], ipv6: [] as string[] }
    for (const server of network.nameservers) servers[server.includes(':') ? 'ipv6' : 'ipv4'].push(server)
    const method = (one: 'ipv4' | 'ipv6'): string[] => [
      `[${one}]`,
      ...(one === version
        ? ['method=manual', `address1=${address}`]
        : [`method=${one === 'ipv6' ? 'auto' : 'disabled'}`]),
      ...(servers[one].length === 0 ? [] : [`dns=${servers[one].join(';')};`]),
    ]
    const lines = ['[connection]', 'id=slipway-ethernet', 'type=ethernet', 'multi-connect=3', '']
    added.push(
      textFile(
        `${folder}/slipway-ethernet.nmconnection`,
        [...lines, ...method('ipv4'), '', ...method('ipv6')],
        0o600,
      ),
    )
  }
  if (wifi !== null) {
    // As bytes, which any name is.
    const name = [...Buffer.from(wifi.name, 'utf8')].map((byte) => `${byte};`).join('')
    added.push(
      textFile(
        `${folder}/slipway-wifi.nmconnection`,
        [
          ...['[connection]', 'id=slipway-wifi', 'type=wifi', '', '[wifi]', `ssid=${name}`, ''],
          ...['[wifi-security]', 'key-mgmt=wpa-psk', `psk=${wifi.key}`],
        ],
        0o600,
      ),
    )
  }
  return added
}

/** interfaces(5): patterns of names, since it knows no types; all that Ethernet and Wi-Fi are called by. */
function ifupdownFiles({ network, wifi }: MachineSettings, image: InspectedImage): AddedEntry[] {
  const lines = ['auto lo', 'iface lo inet loopback']
  const added: AddedEntry[] = []
  // Alpine's ifupdown-ng has no patterns, and its kernel names are not changed.
  const hasPatterns = image.init?.kind !== 'openrc'
  const ethernet = hasPatterns ? 'ethernet' : 'eth0'
  const wireless = hasPatterns ? 'wireless' : 'wlan0'
  if (network.kind !== 'keep') {
    lines.push('', hasPatterns ? 'auto /en*=ethernet /eth*=ethernet' : 'auto eth0')
    if (network.kind === 'dhcp') lines.push(`iface ${ethernet} inet dhcp`)
    else {
      lines.push(
        `iface ${ethernet} ${network.address.includes(':') ? 'inet6' : 'inet'} static`,
        `    address ${network.address}`,
        ...(network.gateway === null ? [] : [`    gateway ${network.gateway}`]),
      )
      added.push(
        textFile(
          'etc/resolv.conf',
          network.nameservers.map((server) => `nameserver ${server}`),
        ),
      )
    }
  }
  if (wifi !== null) {
    lines.push('', hasPatterns ? 'allow-hotplug /wl*=wireless' : 'auto wlan0')
    lines.push(`iface ${wireless} inet dhcp`, `    wpa-conf /${WPA_CONFIGURATION}`)
    added.push(wpaConfiguration(wifi))
  }
  added.push(textFile('etc/network/interfaces', lines))
  if (image.init?.kind === 'systemd') added.push(wantedBy('networking.service', 'multi-user.target'))
  if (image.init?.kind === 'openrc')
    added.push(linkTo('etc/runlevels/boot/networking', '/etc/init.d/networking'))
  return added
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
