import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createJobManager, type StartedJob } from '../../src/main/jobs/manager'
import { watchBoot } from '../../src/main/preview/boot-watch'
import { startMachine, type Machine } from '../../src/main/preview/machine'
import { askPort } from '../../src/main/preview/ports'
import { proveDisk, type ProveInput } from '../../src/main/preview/prove'
import type { Proof } from '../../src/shared/proof'
import { writeEspDisk } from '../support/esp-disk'
import { writeTinyDisk } from '../support/tiny-disk'

/** A disk with the HOWTO's Debian and the signed chain of boot loaders, made by whoever runs this test. */
const disk = process.env['SLIPWAY_TEST_HOWTO_DISK']

let folder = ''
const jobs = createJobManager()
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-test-'))
})
afterAll(async () => {
  await jobs.close()
  await rm(folder, { recursive: true })
})

/** Proves as a job; `proofs` has what it was told of. */
function prove(input: Partial<ProveInput> & Pick<ProveInput, 'diskPath' | 'firmware'>): {
  job: StartedJob<Proof[]>
  proofs: { proof: Proof; picture: Buffer | null }[]
} {
  const proofs: { proof: Proof; picture: Buffer | null }[] = []
  const started = jobs.start({
    kind: 'proof',
    title: input.diskPath,
    diskId: null,
    locks: [],
    run: (context) =>
      proveDisk(context, {
        architecture: 'amd64',
        attachment: 'usb',
        memoryBytes: 512 * 2 ** 20,
        timeoutMilliseconds: 400_000,
        onProof: (proof, picture) => {
          proofs.push({ proof, picture })
          return Promise.resolve()
        },
        ...input,
      }),
  })
  if (!started.ok) throw new Error(JSON.stringify(started.failure))
  return { job: started.value, proofs }
}

test('a proof has a verdict and a picture for each firmware, and fails when one boot fails', async () => {
  const diskPath = join(folder, 'tiny.img')
  await writeTinyDisk(diskPath, 'tiny login: ')
  const { job, proofs } = prove({ diskPath, firmware: ['bios', 'uefi'] })
  expect(await job.ending).toEqual({
    state: 'failed',
    failure: {
      code: 'proof-failed',
      facts: {
        path: diskPath,
        boots: [
          { firmware: 'bios', outcome: 'login' },
          { firmware: 'uefi', outcome: 'no-bootable-device' },
        ],
      },
    },
  })
  expect(proofs.map(({ picture }) => picture?.subarray(1, 4).toString())).toEqual(['PNG', 'PNG'])
  expect(proofs[0]?.proof).toMatchObject({ attachment: 'usb', failedUnits: [] })
  expect(proofs[0]?.proof.lines.at(-1)).toBe('tiny login:')
})

test('a boot loader that stops at its prompt, and the same one refused by Secure Boot', async () => {
  const diskPath = join(folder, 'esp.img')
  await writeEspDisk(diskPath)
  const { job, proofs } = prove({ diskPath, firmware: ['uefi', 'secure-boot'] })
  expect(await job.ending).toMatchObject({ state: 'failed' })
  expect(proofs.map(({ proof }) => proof.outcome)).toEqual(['boot-loader-prompt', 'secure-boot-refused'])
})

test('a machine that switches itself off before it was up', async () => {
  const diskPath = join(folder, 'off.img')
  await writeTinyDisk(diskPath, 'good night', true)
  const { job, proofs } = prove({ diskPath, firmware: ['bios'] })
  expect(await job.ending).toMatchObject({ state: 'failed' })
  expect(proofs[0]?.proof.outcome).toBe('ended')
})

test('a hang is decided by the clock, with the last rows', async () => {
  const diskPath = join(folder, 'hang.img')
  await writeTinyDisk(diskPath, 'Loading for ever')
  const { job, proofs } = prove({ diskPath, firmware: ['bios'], timeoutMilliseconds: 6000 })
  expect(await job.ending).toMatchObject({ state: 'failed', failure: { code: 'proof-failed' } })
  expect(proofs[0]?.proof.outcome).toBe('hang')
  expect(proofs[0]?.proof.lines.at(-1)).toContain('Loading for ever')
})

test('a proof that is cancelled leaves no machine', async () => {
  const diskPath = join(folder, 'cancel.img')
  await writeTinyDisk(diskPath, 'Loading for ever')
  const { job, proofs } = prove({ diskPath, firmware: ['bios'] })
  await new Promise((resolve) => setTimeout(resolve, 2000))
  jobs.cancel(job.id)
  expect(await job.ending).toEqual({ state: 'cancelled' })
  expect(proofs).toEqual([])
})

/** Types at the machine's keyboard and waits for the screen to show what is wanted; types it again when a slow machine missed a key. */
async function ask(machine: Machine, line: string, wanted: RegExp): Promise<string> {
  let text = ''
  for (let attempt = 0; attempt < 4; attempt++) {
    expect(await machine.typeText(`${line}\n`, new AbortController().signal)).toEqual({
      ok: true,
      value: null,
    })
    const until = Date.now() + 40_000
    while (Date.now() < until) {
      const rows = await machine.readScreenText()
      if (rows.ok) text = rows.value.join('\n')
      if (wanted.test(text)) return text
      await new Promise((resolve) => setTimeout(resolve, 1000))
    }
  }
  throw new Error(`the screen never showed ${String(wanted)}:\n${text}`)
}

test.skipIf(disk === undefined)(
  "Secure Boot with Microsoft's keys starts the HOWTO's machine from a stick; keys, and a web server through a port",
  async () => {
    const { signal } = new AbortController()
    const started = await startMachine({
      diskPath: disk ?? '',
      firmware: 'secure-boot',
      attachment: 'usb',
      ports: [{ hostPort: 0, guestPort: 80 }],
      signal,
      log: () => undefined,
    })
    if (!started.ok) throw new Error(JSON.stringify(started.failure))
    const machine = started.value
    try {
      const verdict = await watchBoot(machine, { timeoutMilliseconds: 400_000, signal })
      expect(verdict).toMatchObject({ outcome: 'login', seenOn: 'screen', failedUnits: [] })
      await ask(machine, 'root', /root@[^#]*#/)
      // Both cases and signs that need Shift; the sum keeps the answer apart from the echo.
      const text = await ask(
        machine,
        'clear; dmesg | grep -Ei "secure boot (en|dis)abled"; cat /sys/kernel/security/lockdown; echo "{Typed}_$((40+2))"',
        /\{Typed\}_42/,
      )
      expect(text).toContain('Secure boot enabled')
      expect(text).toMatch(/\[(?:integrity|confidentiality)\]/)
      // The HOWTO's image brings no network set-up of its own.
      await ask(
        machine,
        "clear; mkdir -p /run/systemd/network; printf '[Match]\\nType=ether\\n[Network]\\nDHCP=ipv4\\n' > /run/systemd/network/a.network; systemctl start systemd-networkd; until networkctl | grep -q routable; do sleep 1; done; echo routable_$((40+2))",
        /routable_42/,
      )
      const [forward] = machine.forwards
      expect(forward?.guestPort).toBe(80)
      expect(await askPort(forward?.hostPort ?? 0)).toBe('http')
      await ask(machine, 'clear; systemctl stop apache2; echo stopped_$((40+2))', /stopped_42/)
      expect(await askPort(forward?.hostPort ?? 0)).toBeNull()
    } finally {
      await machine.stop()
    }
  },
)

test.skipIf(disk === undefined)('UEFI starts the same disk as an NVMe drive', async () => {
  const { job, proofs } = prove({
    diskPath: disk ?? '',
    firmware: ['uefi'],
    attachment: 'nvme',
    memoryBytes: 2 ** 30,
  })
  expect(await job.ending).toMatchObject({ state: 'succeeded' })
  expect(proofs[0]?.proof).toMatchObject({ outcome: 'login', attachment: 'nvme', failedUnits: [] })
})
