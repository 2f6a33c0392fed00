import { useState } from 'react'
import { confirms, type RefusalReason } from '../../../shared/drive'
import type { ListedDisk, ListedDrive } from '../../../shared/ipc/contract'
import type { JobSnapshot } from '../../../shared/job'
import { useCall } from '../../api/api'
import { Button } from '../../ui/button'
import { FailureNotice, Notice } from '../../ui/notice'
import { Sheet } from '../../ui/sheet'
import { formatBytes } from '../../../shared/sentences'
import { DriveChoice } from './drive-choice'
import { Loss } from './loss'
import { WriteProgress, writeFooter } from './write-progress'
import styles from './flash.module.css'

/** All that a person relies on when choosing a drive. When any of it changes, what was chosen is dropped. */
function listSignature(drives: readonly ListedDrive[]): string {
  return JSON.stringify(
    drives.map(({ key, reasons, volumes, mountpoints }) => [
      key,
      reasons,
      mountpoints,
      volumes.map(({ device, label, fileSystem, sizeBytes }) => [device, label, fileSystem, sizeBytes]),
    ]),
  )
}

/** The reasons against writing this disk to this drive. The list's own do not count the disk's size. */
export function reasonsFor(drive: ListedDrive, disk: ListedDisk): RefusalReason[] {
  const isTooSmall = drive.sizeBytes > 0 && drive.sizeBytes < disk.sizeBytes
  return isTooSmall ? [...drive.reasons, 'too-small'] : drive.reasons
}

/**
 * Writing, as a sheet over the disk's page: choose, read what will be lost,
 * type the drive's name, write. Nothing is ever chosen beforehand, and a
 * change in the list of drives drops what was chosen.
 * @param job the write that was begun in this sheet, or that already runs for this disk; null before
 */
export function WriteSheet(props: {
  disk: ListedDisk
  drives: readonly ListedDrive[]
  job: JobSnapshot | null
  onStarted: (jobId: string) => void
  onAgain: () => void
  onClose: () => void
}) {
  const { disk, drives, job } = props
  const [chosenKey, setChosenKey] = useState<string | null>(null)
  const [typed, setTyped] = useState('')
  const [unmount, setUnmount] = useState(false)
  const [wasDropped, setWasDropped] = useState(false)
  const flash = useCall('flashDisk')
  const cancel = useCall('cancelJob')

  const choose = (key: string | null): void => {
    setChosenKey(key)
    setTyped('')
    setUnmount(false)
  }
  const signature = listSignature(drives)
  const [seenSignature, setSeenSignature] = useState(signature)
  if (signature !== seenSignature) {
    setSeenSignature(signature)
    setWasDropped(chosenKey !== null)
    choose(null)
  }

  if (job !== null) {
    return (
      <Sheet
        title={`Writing ${disk.name}`}
        size="large"
        isOpen
        onClose={props.onClose}
        footer={writeFooter({
          job,
          onClose: props.onClose,
          onAgain: () => {
            choose(null)
            props.onAgain()
          },
          onCancel: () => void cancel.run({ jobId: job.id }),
        })}
      >
        <WriteProgress job={job} />
        {cancel.failure !== null && <FailureNotice failure={cancel.failure} />}
      </Sheet>
    )
  }

  const drive = drives.find(({ key }) => key === chosenKey) ?? null
  const reasons = drive === null ? [] : reasonsFor(drive, disk)
  const isAllowed = drive !== null && reasons.every((reason) => reason === 'mounted' && unmount)
  const isConfirmed = drive !== null && confirms(typed, drive)

  const write = async (): Promise<void> => {
    if (drive === null) return
    const answer = await flash.run({
      source: { kind: 'disk', id: disk.id },
      targets: [{ driveKey: drive.key, confirmation: typed, unmount, expert: null }],
      everything: false,
      eject: false,
    })
    choose(null)
    if (answer !== null) props.onStarted(answer.value.jobId)
  }
  return (
    <Sheet
      title={`Write ${disk.name} to a stick`}
      size="large"
      isOpen
      onClose={props.onClose}
      footer={
        <>
          <Button onPress={props.onClose}>Close</Button>
          <Button
            look="danger"
            isDisabled={!isAllowed || !isConfirmed || flash.pending}
            onPress={() => void write()}
          >
            Erase and write
          </Button>
        </>
      }
    >
      {flash.failure !== null && <FailureNotice failure={flash.failure} />}
      {wasDropped && (
        <Notice>
          <p role="status">The list of drives changed, so nothing is chosen any more. Choose again.</p>
        </Notice>
      )}
      <section className={styles.step}>
        <h3 className={styles.stepTitle}>Choose the drive</h3>
        <p className={styles.soft}>It must hold {formatBytes(disk.sizeBytes, 'up')} at least.</p>
        <DriveChoice
          drives={drives}
          reasonsFor={(candidate) => reasonsFor(candidate, disk)}
          chosen={chosenKey}
          onChoose={(key) => {
            setWasDropped(false)
            choose(key)
          }}
        />
      </section>
      {drive !== null && (
        <Loss
          drive={drive}
          mustUnmount={reasons.includes('mounted')}
          unmount={unmount}
          onUnmount={setUnmount}
          typed={typed}
          onTyped={setTyped}
        />
      )}
    </Sheet>
  )
}
