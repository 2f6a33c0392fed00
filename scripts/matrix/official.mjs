/**
 * What makes an official image for containers differ from what mmdebstrap leaves. Debian's are made by
 * debuerreotype (`debuerreotype-init`, `-minimizing-config`, `-debian-sources-list`); Ubuntu's have the same policies.
 * The settings are those, the words are not.
 */
const clean =
  '{ "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb /var/cache/apt/*.bin || true"; };'
const policies = {
  'usr/sbin/policy-rc.d': '#!/bin/sh\n# No service is started while packages are installed.\nexit 101\n',
  'etc/dpkg/dpkg.cfg.d/docker-apt-speedup': 'force-unsafe-io\n',
  'etc/apt/apt.conf.d/docker-autoremove-suggests': 'Apt::AutoRemove::SuggestsImportant "false";\n',
  'etc/apt/apt.conf.d/docker-clean': `DPkg::Post-Invoke ${clean}\nAPT::Update::Post-Invoke ${clean}\nDir::Cache::pkgcache "";\nDir::Cache::srcpkgcache "";\n`,
  'etc/apt/apt.conf.d/docker-gzip-indexes': 'Acquire::GzipIndexes "true";\n',
  'etc/apt/apt.conf.d/docker-no-languages': 'Acquire::Languages "none";\n',
}

/** What containers never see, because the engine mounts its own over them, but archives of an image hold. */
const builders = {
  'etc/hostname': 'debuerreotype\n',
  'etc/resolv.conf':
    '# https://1.1.1.1 (privacy-focused, highly-available DNS service)\nnameserver 1.1.1.1\nnameserver 1.0.0.1\n',
}

/** Sources as paragraphs (sources.list(5), "DEB822-STYLE FORMAT"), which Debian's images have since 12. */
const paragraph = (uri, suites, components, keyring) =>
  `Types: deb\nURIs: ${uri}\nSuites: ${suites}\nComponents: ${components}\nSigned-By: /usr/share/keyrings/${keyring}-archive-keyring.gpg\n`

function debianSources(suite) {
  const of = (directory, suites) => paragraph(`http://deb.debian.org/${directory}`, suites, 'main', 'debian')
  if (suite === 'sid') return of('debian', suite)
  return `${of('debian', `${suite} ${suite}-updates`)}\n${of('debian-security', `${suite}-security`)}`
}

function ubuntuSources(suite) {
  const components = 'main universe restricted multiverse'
  const of = (host, suites) => paragraph(`http://${host}.ubuntu.com/ubuntu/`, suites, components, 'ubuntu')
  return `${of('archive', `${suite} ${suite}-updates ${suite}-backports`)}\n${of('security', `${suite}-security`)}`
}

/**
 * Canonical's, from 24.04 on: what Ubuntu's minimal images leave out (unminimize(8)), the control program of an init
 * that it no longer has, a word for systemd, and a user.
 */
const ubuntuFiles = {
  'etc/dpkg/dpkg.cfg.d/excludes':
    'path-exclude=/usr/share/doc/*\npath-include=/usr/share/doc/*/copyright\npath-exclude=/usr/share/man/*\npath-exclude=/usr/share/locale/*/LC_MESSAGES/*.mo\n',
}
const ubuntuSteps = [
  'dpkg-divert --local --rename --add /sbin/initctl',
  'printf "#!/bin/sh\\nexit 0\\n" > /sbin/initctl && chmod 755 /sbin/initctl',
  'mkdir -p /run/systemd && echo docker > /run/systemd/container',
  'useradd --create-home --shell /bin/bash --groups adm,cdrom,sudo,dip,plugdev ubuntu',
]

/**
 * Turns a tree of mmdebstrap into what a person has who pulls the official image.
 * @param {{ suite: string, ubuntu?: boolean }} entry
 * @returns {{ files: Record<string, string>, line: string }} files for the image, and the instruction that follows
 */
export function official({ suite, ubuntu = false }) {
  const name = ubuntu ? 'ubuntu' : 'debian'
  const hasParagraphs = suite !== 'bullseye'
  const sources = ubuntu ? ubuntuSources(suite) : debianSources(suite)
  const files = {
    ...policies,
    ...(ubuntu ? ubuntuFiles : builders),
    ...(hasParagraphs ? { [`etc/apt/sources.list.d/${name}.sources`]: sources } : {}),
  }
  const removed = [
    ...['/var/lib/apt/lists/*', '/var/cache/apt/*'],
    ...(hasParagraphs ? ['/etc/apt/sources.list'] : []),
  ]
  const steps = [
    'chmod 755 /usr/sbin/policy-rc.d',
    `rm -rf ${removed.join(' ')}`,
    ...(ubuntu ? ubuntuSteps : []),
  ]
  return { files, line: `RUN ${steps.join(' && ')}` }
}
