import { once } from 'node:events'
import { mkdtemp, rm, truncate, writeFile, stat } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { cleanUp, defer } from './setup/clean-up.mjs'
import { docker, engineAnswers, startEngine } from './setup/engine.mjs'
import { root } from './setup/paths.mjs'
import { run } from './setup/run.mjs'
import { say } from './setup/talk.mjs'
import { makeImage, removeImages } from './matrix/base.mjs'
import { bootDisk } from './matrix/console.mjs'
import { entries, GREETING } from './matrix/entries.mjs'
import { record } from './matrix/results.mjs'

const MACHINE_FACTS = '. /etc/os-release; echo "$PRETTY_NAME"; echo "$ID"; echo "$VERSION_ID"; uname -r'

/**
 * Makes an entry's image, builds its disk and boots it.
 * @param {string} host
 * @param {import('./matrix/entries.mjs').Entry} entry
 */
async function bootEntry(host, entry) {
  const workspace = await mkdtemp('/var/tmp/slipway-matrix-')
  const release = defer(() => rm(workspace, { recursive: true, force: true }))
  say(`\n=== ${entry.name}: ${entry.about}`)
  const image = await makeImage(host, entry)
  const removeAll = defer(() => removeImages(host, entry))
  const disk = join(workspace, 'disk.img')
  await build(host, entry, image, workspace, disk)
  if (entry.growBytes !== undefined) await truncate(disk, (await stat(disk)).size + entry.growBytes)

  /** @type {string[]} */
  const checks = []
  /** @type {string[]} */
  const failed = []
  const note = (title, isRight, found) => {
    checks.push(title)
    if (!isRight) failed.push(title)
    say(`${isRight ? 'right' : 'WRONG'}: ${title}${isRight ? '' : `\n${found}`}`)
  }
  const hostPort = await freePort()
  const ports = entry.port === undefined ? [] : [`${hostPort}:${entry.port}`]
  const machine = await bootDisk(disk, { firmware: entry.firmware, ports })
  await machine.logIn(entry.login)
  const [distribution, id, version, kernel] = (await machine.run(MACHINE_FACTS)).split('\n')
  for (const { title, command, answer } of entry.checks) {
    const found = await machine.run(command)
    note(title, answer.test(found), found)
  }
  if (entry.port !== undefined) {
    const found = await fetch(`http://127.0.0.1:${hostPort}/`).then((one) => one.text(), String)
    note(
      'the web server answers over a forwarded port, with its ENV, WORKDIR and USER',
      found === GREETING,
      found,
    )
  }
  const first = await machine.run(IDENTITY)
  await machine.stop()
  if (entry.bootTwice === true) {
    // A preview leaves the disk as it was built: this is another machine of the same image.
    const second = await bootDisk(disk, { firmware: entry.firmware })
    await second.logIn(entry.login)
    const other = await second.run(IDENTITY)
    await second.stop()
    const [id, ...keys] = first.split('\n')
    const isOther = [id, ...keys].every((word) => !other.includes(word)) && keys.length > 0
    note('two machines of one image have other ids and SSH host keys', isOther, `${first}\n${other}`)
  }
  const date = new Date().toISOString().slice(0, 10)
  const { name, about, firmware } = entry
  await record({ entry: name, about, distribution, id, version, kernel, firmware, date, checks, failed })
  await removeAll()
  await release()
  return failed.length === 0
}

/** One of this computer that leads to the machine's. */
async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  return port
}

/** The machine's id, and the fingerprints of its keys. */
const IDENTITY =
  'cat /etc/machine-id; for key in /etc/ssh/ssh_host_*.pub; do ssh-keygen -lf $key | cut -d" " -f2; done'

async function build(host, entry, image, workspace, disk) {
  const settings = join(workspace, 'machine.json')
  await writeFile(settings, JSON.stringify(entry.machine))
  let source = [image]
  if (entry.saved === true) {
    const archive = join(workspace, 'saved.tar')
    await docker(host, ['save', '--output', archive, image])
    source = ['--archive', archive]
  }
  const words = [
    ...['build', ...source, '-o', disk, '--machine', settings],
    ...['--kernel-arguments', 'console=tty0 console=ttyS0'],
    ...(entry.options ?? []),
    ...(entry.prepare ? ['--prepare'] : []),
  ]
  const { code, stdout, stderr } = await run(
    process.execPath,
    [join(root, 'out/cli/slipway.cjs'), ...words],
    {
      env: {
        ...process.env,
        // An address where nobody answers: an archive needs no engine.
        DOCKER_HOST: entry.saved === true ? 'unix:///nonexistent/docker.sock' : host,
        XDG_DATA_HOME: workspace,
      },
    },
  )
  if (code !== 0) throw new Error(`slipway build ended with exit code ${code}:\n${stdout}${stderr}`)
}

/** The person's engine where DOCKER_HOST names one, else one of our own, whose network leads nowhere. */
async function anEngine() {
  const given = process.env.DOCKER_HOST
  if (given !== undefined && (await engineAnswers(given))) return given
  const engine = await startEngine()
  defer(engine.stop)
  process.env.SLIPWAY_BUILD_NETWORK ??= 'host'
  return engine.host
}

const asked = process.argv.slice(2)
const unknown = asked.filter((name) => !entries.some((entry) => entry.name === name))
if (unknown.length > 0) {
  say(`There is no ${unknown.join(', ')}. Known: ${entries.map(({ name }) => name).join(', ')}`)
  process.exit(2)
}
let isRight = true
try {
  const host = await anEngine()
  for (const entry of entries) {
    if (asked.length > 0 && !asked.includes(entry.name)) continue
    try {
      isRight = (await bootEntry(host, entry)) && isRight
    } catch (error) {
      say(error.message)
      isRight = false
    }
  }
} finally {
  await cleanUp()
}
process.exitCode = isRight ? 0 : 1
