import { useState } from 'react'
import type { HostState, ListedDisk } from '../../../shared/ipc/contract'
import type { MachineChoice } from '../../../shared/preview'
import {
  attachments,
  attachmentsOf,
  claimedFirmware,
  machineFirmwares,
  type MachineFirmware,
} from '../../../shared/proof'
import { formatBytes } from '../../../shared/amounts'
import { firmwareTitles } from '../../../shared/sentences'
import { Button } from '../../ui/button'
import { Checkbox, Choices, NumberField } from '../../ui/field'
import { Sheet } from '../../ui/sheet'
import styles from './preview.module.css'

const GIB = 1024 ** 3
/** Below it no distribution of today starts. */
const LEAST_MEMORY = 0.25

const attachmentWords: Record<MachineChoice['attachment'], { title: string; detail: string }> = {
  usb: { title: 'USB stick', detail: 'What the disk will be.' },
  sata: { title: 'SATA drive', detail: 'Inside a computer of the last twenty years.' },
  nvme: { title: 'NVMe drive', detail: 'Inside a computer of the last ten.' },
  virtio: { title: 'virtio disk', detail: 'As in a virtual machine of a cloud.' },
}

function isInstalled(firmware: MachineFirmware, disk: ListedDisk, host: HostState | undefined): boolean {
  return host?.qemu.firmware[disk.architecture].includes(firmware) !== false
}

function firmwareDetail(firmware: MachineFirmware, disk: ListedDisk, host: HostState | undefined): string {
  if (disk.architecture === 'arm64' && firmware === 'bios') return 'There is none for arm64.'
  if (!isInstalled(firmware, disk, host)) {
    return `Its firmware is not installed here. ${host?.qemu.remedy[disk.architecture] ?? ''}`
  }
  return claimedFirmware(disk).includes(firmware)
    ? 'The disk was made for it.'
    : 'The disk was not made for it, and will most likely not start.'
}

/** Chooses the machine that a disk is previewed on. */
export function MachineSheet(props: {
  disk: ListedDisk
  host: HostState | undefined
  choice: MachineChoice
  isRunning: boolean
  isOpen: boolean
  onClose: () => void
  /** Starts anew with this machine; the one that runs is stopped. */
  onStart: (choice: MachineChoice) => void
}) {
  const { disk, host } = props
  const [choice, setChoice] = useState(props.choice)
  const change = (changed: Partial<MachineChoice>): void => setChoice({ ...choice, ...changed })
  const possible = attachmentsOf(disk.architecture)
  const mostMemory = Math.floor((host?.memoryBytes ?? 64 * GIB) / GIB)
  const memory = choice.memoryBytes / GIB
  const memoryError =
    memory < LEAST_MEMORY || memory > mostMemory
      ? `This computer can give a machine up to ${mostMemory} GB; ${LEAST_MEMORY} GB are the least.`
      : null
  return (
    <Sheet
      title="The machine of the preview"
      size="large"
      isOpen={props.isOpen}
      onClose={props.onClose}
      footer={
        <>
          <Button onPress={props.onClose}>Cancel</Button>
          <Button
            look="primary"
            isDisabled={memoryError !== null}
            onPress={() => {
              props.onStart(choice)
            }}
          >
            {props.isRunning ? 'Stop, and start this one' : 'Start this machine'}
          </Button>
        </>
      }
    >
      <div className={styles.machineColumns}>
        <Choices
          label="Firmware"
          value={choice.firmware}
          onChange={(value) => change({ firmware: machineFirmwares.find((one) => one === value) ?? 'bios' })}
          choices={machineFirmwares.map((firmware) => ({
            value: firmware,
            title: firmwareTitles[firmware],
            detail: firmwareDetail(firmware, disk, host),
            isDisabled: !isInstalled(firmware, disk, host),
          }))}
        />
        <Choices
          label="The disk is a"
          value={choice.attachment}
          onChange={(value) => change({ attachment: attachments.find((one) => one === value) ?? 'usb' })}
          choices={attachments.map((value) => ({
            value,
            ...attachmentWords[value],
            ...(possible.includes(value)
              ? {}
              : { isDisabled: true, detail: 'The firmware of arm64 machines here finds nothing on one.' }),
          }))}
        />
      </div>
      <div className={styles.machineNumbers}>
        <NumberField
          label="Memory of the machine in GB"
          unit="GB of memory"
          value={memory}
          minimum={LEAST_MEMORY}
          step={0.25}
          error={memoryError}
          onChange={(value) => {
            if (Number.isFinite(value)) change({ memoryBytes: Math.round(value * GIB) })
          }}
        />
        <NumberField
          label="Processors of the machine"
          unit={choice.processors === 1 ? 'processor' : 'processors'}
          value={choice.processors}
          minimum={1}
          step={1}
          error={null}
          onChange={(value) => {
            if (Number.isFinite(value)) {
              change({ processors: Math.min(Math.max(1, Math.round(value)), host?.processors ?? 64) })
            }
          }}
        />
      </div>
      <Checkbox isSelected={choice.keepChanges} onChange={(keepChanges) => change({ keepChanges })}>
        Keep the changes: what the machine writes goes into the file of {formatBytes(disk.sizeBytes)}. What
        was proven of it is forgotten, and it is no longer what was built.
      </Checkbox>
    </Sheet>
  )
}
