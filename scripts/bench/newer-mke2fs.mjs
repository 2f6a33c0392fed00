import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from '../setup/run.mjs'

/**
 * The archive that this Debian is installed from also has the next release: mke2fs -d reads a tar from 1.47.1 on,
 * when libarchive is there; Debian 12 has 1.47.0, Debian 13 what is needed.
 * @returns {Promise<string | null>} a line of sources.list(5), or null when apt knows no archive of Debian
 */
async function nextRelease() {
  const targets = await run('apt-get', ['indextargets', '--format', '$(ORIGIN) $(LABEL) $(REPO_URI)'])
  const uri = /^Debian Debian (\S+)$/m.exec(targets.stdout)?.[1]
  const keys = '/usr/share/keyrings/debian-archive-keyring.gpg'
  return uri === undefined ? null : `deb [signed-by=${keys}] ${uri} trixie main\n`
}

/**
 * Debian 13's mke2fs with its own libraries, unpacked into a folder: nothing is installed.
 * @param {string} folder a new one
 * @returns {Promise<{ command: string, args: string[], version: string } | string>} how it is called, or why it is not to be had
 */
export async function newerMke2fs(folder) {
  const source = await nextRelease()
  if (source === null) {
    return 'apt knows no archive of Debian'
  }
  const at = (path) => join(folder, path)
  for (const path of ['lists/partial', 'cache/archives/partial', 'state', 'debs', 'root']) {
    await mkdir(at(path), { recursive: true })
  }
  await writeFile(at('sources.list'), source)
  await writeFile(at('state/status'), '')
  const settings = {
    'Dir::Etc::sourcelist': at('sources.list'),
    'Dir::Etc::sourceparts': '/dev/null',
    'Dir::State': at('state'),
    'Dir::State::lists': at('lists'),
    'Dir::State::status': at('state/status'),
    'Dir::Cache': at('cache'),
    'APT::Sandbox::User': 'root',
    'Acquire::Languages': 'none',
  }
  const options = Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`])
  const updated = await run('apt-get', [...options, '-q', 'update'], { timeout: 120_000 })
  if (updated.code !== 0) {
    return `apt-get update: ${updated.stderr.trim().split('\n').at(-1)}`
  }
  const wanted = ['e2fsprogs', 'libarchive13t64']
  const planned = await run('apt-get', [...options, '--no-install-recommends', '-s', 'install', ...wanted])
  const names = [...planned.stdout.matchAll(/^Inst (\S+)/gm)].map((match) => match[1])
  const fetched = await run('apt-get', [...options, 'download', ...names], {
    cwd: at('debs'),
    timeout: 120_000,
  })
  if (names.length === 0 || fetched.code !== 0) {
    return `apt-get download: ${fetched.stderr.trim().split('\n').at(-1)}`
  }
  for (const name of await readdir(at('debs'))) {
    const unpacked = await run('dpkg-deb', ['-x', at(`debs/${name}`), at('root')])
    if (unpacked.code !== 0) {
      return `dpkg-deb: ${unpacked.stderr.trim()}`
    }
  }
  const libraries = at('root/usr/lib/x86_64-linux-gnu')
  const command = join(libraries, 'ld-linux-x86-64.so.2')
  const args = ['--library-path', libraries, at('root/usr/sbin/mke2fs')]
  const answer = await run(command, [...args, '-V'])
  const version = /mke2fs (\S+)/.exec(answer.stderr)?.[1]
  return version === undefined ? `it does not start: ${answer.stderr.trim()}` : { command, args, version }
}
