import { expect, test } from 'vitest'
import { createJobManager } from '../../src/main/jobs/manager'
import { proveDisk } from '../../src/main/preview/prove'
import type { Attachment, MachineFirmware } from '../../src/shared/proof'

/**
 * One disk under every firmware and as every kind of drive, each boot to a login. By hand, because twelve boots take
 * a quarter of an hour: SLIPWAY_TEST_BOOT_DISK is a disk with the signed chain of boot loaders, such as the HOWTO's.
 * SLIPWAY_TEST_BOOT_FIRMWARE leaves some firmware out (`bios,uefi`).
 */
const disk = process.env['SLIPWAY_TEST_BOOT_DISK'] ?? ''
const firmware = (process.env['SLIPWAY_TEST_BOOT_FIRMWARE'] ?? 'bios,uefi,secure-boot').split(
  ',',
) as MachineFirmware[]
const attachments: Attachment[] = ['usb', 'sata', 'virtio', 'nvme']
const jobs = createJobManager()

for (const one of firmware) {
  for (const attachment of attachments) {
    // SeaBIOS starts from NVMe too (SeaBIOS, src/hw/nvme.c).
    test(`${one}, ${attachment}`, async () => {
      const job = jobs.start({
        kind: 'proof',
        title: disk,
        diskId: null,
        locks: [],
        run: (context) =>
          proveDisk(context, {
            diskPath: disk,
            firmware: [one],
            architecture: 'amd64',
            attachment,
            memoryBytes: 1024 * 2 ** 20,
            timeoutMilliseconds: 400_000,
            onProof: (proof) => {
              console.log(`${one}, ${attachment}: ${proof.outcome} after ${proof.milliseconds} ms`)
              return Promise.resolve()
            },
          }),
      })
      if (!job.ok) throw new Error(JSON.stringify(job.failure))
      expect(await job.value.ending).toMatchObject({
        state: 'succeeded',
        value: [{ firmware: one, attachment, outcome: 'login', failedUnits: [] }],
      })
    })
  }
}
