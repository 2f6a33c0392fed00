import type { InspectedImage } from '../../src/main/source/tree-source'
import { equipmentNames } from '../../src/shared/image'

const file = (text: string, mode = 0o644): { text: string; mode: number } => ({ text, mode })

/** Files of an image in which it says nothing, as a Docker Engine's exports have them. */
export const blankFiles = {
  hostname: null,
  hosts: null,
  fstab: null,
  interfaces: null,
  hasResolver: false,
  present: [],
} satisfies Partial<InspectedImage['files']>

/** What inspection finds in a prepared Debian with a web server in it. */
export const preparedDebian: InspectedImage = {
  id: `sha256:${'cd'.repeat(32)}`,
  name: 'web:1',
  file: null,
  architecture: 'amd64',
  sizeBytes: 800_000_000,
  measured: null,
  createdAt: 0,
  distribution: { id: 'debian', version: '12', prettyName: 'Debian GNU/Linux 12 (bookworm)' },
  kernel: { path: '/vmlinuz', version: '6.1.0-37-amd64' },
  initramfs: { path: '/initrd.img' },
  init: { kind: 'systemd', path: '/sbin/init' },
  rootLogin: 'locked',
  applications: {
    entrypoint: ['/entry.sh'],
    command: ['serve', '--port', '80'],
    ports: ['80/tcp'],
    environment: ['PATH=/usr/bin:/bin', 'GREETING=hello'],
    workingDirectory: '/srv',
    user: 'www-data',
    volumes: [],
  },
  packageManager: 'apt',
  network: null,
  users: [],
  equipment: [...equipmentNames].filter((name) => name !== 'NetworkManager' && name !== 'ifup'),
  recipe: { family: 'debian', proven: true },
  missing: ['login', 'network'],
  hasResolved: true,
  files: {
    passwd: file(
      'root:x:0:0:root:/root:/bin/bash\nwww-data:x:33:33:www-data:/var/www:/usr/sbin/nologin\nbob:x:1000:1000::/home/bob:/bin/sh\n',
    ),
    shadow: file('root:*:20000:0:99999:7:::\nwww-data:*:20000:0:99999:7:::\n', 0o640),
    group: file(
      'root:x:0:\nadm:x:4:\nsudo:x:27:\naudio:x:29:bob\nwww-data:x:33:\nshadow:x:42:\nbob:x:1000:\n',
    ),
    gshadow: file('root:*::\nadm:*::\nsudo:*::\nshadow:*::\n', 0o640),
    inittab: null,
    ...blankFiles,
    skeleton: [],
    present: ['/bin/bash', '/lib/systemd/system/ssh.service', '/usr/bin/ssh-keygen'],
    masked: [],
  },
}

/** The same with sysvinit and ifupdown. */
export const preparedSysvinit: InspectedImage = {
  ...preparedDebian,
  init: { kind: 'sysvinit', path: '/sbin/init' },
  equipment: [...equipmentNames].filter(
    (name) => !['NetworkManager', 'systemd-networkd', 'systemd-resolved'].includes(name),
  ),
  hasResolved: false,
  files: {
    ...preparedDebian.files,
    inittab: file('id:2:initdefault:\nsi::sysinit:/etc/init.d/rcS\n1:2345:respawn:/sbin/getty 38400 tty1\n'),
    present: ['/bin/bash', '/usr/bin/ssh-keygen'],
  },
}
