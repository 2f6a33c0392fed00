import { useState } from 'react'
import { confirms, confirmsAgain, writesDrives } from '../../../shared/drive'
import type { ListedDrive } from '../../../shared/ipc/contract'
import type { JobSnapshot } from '../../../shared/job'
import { useCall } from '../../api/api'
import { Button } from '../../ui/button'
import { Checkbox } from '../../ui/field'
import { unprovenWriting } from '../../../shared/sentences'
import { FailureNotice, Notice } from '../../ui/notice'
import { Sheet } from '../../ui/sheet'
import { DriveChoice } from './drive-choice'
import { Loss } from './loss'
import { WriteProgress, writeFooter } from './write-progress'
import { allowedReasons, askedSource, isExpertDrive, sizeWords, type WriteSource } from './write-source'
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

/** What a person typed and allowed for one drive. */
interface Confirmation {
  typed: string
  typedAgain: string
  unmount: boolean
}
const noConfirmation: Confirmation = { typed: '', typedAgain: '', unmount: false }

/**
 * Writing, as a sheet over the page: choose one drive or several, read what will be lost, type each
 * drive's name, write. Nothing is ever chosen beforehand, and a change in the list of drives drops what
 * was chosen.
 * @param drives all drives, the built-in ones too: they are shown under the expert setting alone
 * @param job the write that was begun in this sheet, or that already runs for this disk; null before
 */
export function WriteSheet(props: {
  source: WriteSource
  drives: readonly ListedDrive[]
  /** As Node names it; undefined while it is not known. */
  platform: string | undefined
  job: JobSnapshot | null
  onStarted: (jobId: string) => void
  onAgain: () => void
  onClose: () => void
}) {
  const { source, job } = props
  const [chosen, setChosen] = useState<ReadonlyMap<string, Confirmation>>(new Map())
  const [isExpert, setIsExpert] = useState(false)
  const [everything, setEverything] = useState(false)
  const [eject, setEject] = useState(false)
  const [wasDropped, setWasDropped] = useState(false)
  const flash = useCall('flashDisk')
  const cancel = useCall('cancelJob')

  const drives = props.drives.filter((drive) => isExpert || !drive.reasons.includes('not-removable'))
  const choose = (keys: readonly string[]): void => {
    // Whatever is chosen anew is confirmed anew; what stays chosen keeps what was typed for it.
    setChosen((before) => new Map(keys.map((key) => [key, before.get(key) ?? noConfirmation])))
  }
  const confirm = (key: string, change: Partial<Confirmation>): void => {
    setChosen((before) => new Map(before).set(key, { ...(before.get(key) ?? noConfirmation), ...change }))
  }
  const signature = listSignature(drives)
  const [seenSignature, setSeenSignature] = useState(signature)
  if (signature !== seenSignature) {
    setSeenSignature(signature)
    setWasDropped(chosen.size > 0)
    choose([])
  }

  if (job !== null) {
    return (
      <Sheet
        title={`Writing ${source.name}`}
        size="large"
        isOpen
        onClose={props.onClose}
        footer={writeFooter({
          job,
          onClose: props.onClose,
          onAgain: () => {
            choose([])
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

  const unproven = props.platform === undefined ? null : unprovenWriting(props.platform)
  const canWrite = props.platform === undefined || writesDrives(props.platform)
  const targets = drives.flatMap((drive) => {
    const confirmation = chosen.get(drive.key)
    return confirmation === undefined ? [] : [{ drive, ...confirmation }]
  })
  const missing = canWrite ? nextStep(targets, source, isExpert) : null

  const write = async (): Promise<void> => {
    const answer = await flash.run({
      source: askedSource(source),
      targets: targets.map(({ drive, typed, typedAgain, unmount }) => ({
        driveKey: drive.key,
        confirmation: typed,
        unmount,
        expert: isExpertDrive(drive) ? typedAgain : null,
      })),
      everything,
      eject,
    })
    choose([])
    if (answer !== null) props.onStarted(answer.value.jobId)
  }
  return (
    <Sheet
      title={`Write ${source.name} to a stick`}
      size="large"
      isOpen
      onClose={props.onClose}
      footer={
        <>
          {missing !== null && (
            <p className={styles.next} role="status">
              {missing}
            </p>
          )}
          <Button onPress={props.onClose}>Close</Button>
          <Button
            look="danger"
            isDisabled={!canWrite || missing !== null || flash.pending}
            onPress={() => void write()}
          >
            {targets.length > 1 ? `Erase and write ${targets.length} drives` : 'Erase and write'}
          </Button>
        </>
      }
    >
      {unproven !== null && (
        <Notice>
          <p>{unproven}</p>
        </Notice>
      )}
      {flash.failure !== null && <FailureNotice failure={flash.failure} />}
      {wasDropped && (
        <Notice>
          <p role="status">The list of drives changed, so nothing is chosen any more. Choose again.</p>
        </Notice>
      )}
      <section className={styles.step}>
        <h3 className={styles.stepTitle}>Choose the drive, or several</h3>
        <p className={styles.soft}>{sizeWords(source)}</p>
        <DriveChoice
          drives={drives}
          reasonsFor={(candidate) => allowedReasons(candidate, source, isExpert)}
          chosen={[...chosen.keys()]}
          onChoose={(keys) => {
            setWasDropped(false)
            choose(keys)
          }}
        />
        <Checkbox
          isSelected={isExpert}
          onChange={(on) => {
            choose([])
            setWasDropped(false)
            setIsExpert(on)
            setSeenSignature(listSignature(props.drives.filter((drive) => on || !isBuiltIn(drive))))
          }}
        >
          Expert: show also drives that are built in, and allow those larger than 128 GB
        </Checkbox>
      </section>
      {targets.map((target) => (
        <Loss
          key={target.drive.key}
          {...target}
          mustUnmount={allowedReasons(target.drive, source, isExpert).includes('mounted')}
          onChange={(change) => confirm(target.drive.key, change)}
        />
      ))}
      {targets.length > 0 && (
        <section className={styles.step} aria-label="How to write">
          {source.kind !== 'image' && (
            <Checkbox isSelected={everything} onChange={setEverything}>
              Write everything, also what no file system uses: slower, but nothing old is left under it.
            </Checkbox>
          )}
          <Checkbox isSelected={eject} onChange={setEject}>
            Eject USB drives when they are written.
            {targets.some(({ drive }) => drive.bus !== 'usb') &&
              ' Cards and built-in drives stay; a card may be pulled when this says so.'}
          </Checkbox>
        </section>
      )}
    </Sheet>
  )
}

/** What a person has to do before anything can be written, or null when all is done. */
function nextStep(
  targets: readonly (Confirmation & { drive: ListedDrive })[],
  source: WriteSource,
  isExpert: boolean,
): string | null {
  if (targets.length === 0) return 'Choose a drive.'
  for (const { drive, typed, typedAgain, unmount } of targets) {
    const of = targets.length > 1 ? ` of ${drive.device}` : ''
    const reasons = allowedReasons(drive, source, isExpert)
    if (reasons.some((reason) => reason !== 'mounted')) return `${drive.device} may not be written.`
    if (reasons.length > 0 && !unmount) return `Allow to unmount ${drive.device}.`
    if (!confirms(typed, drive.nameToType)) return `Type the name${of} to confirm.`
    if (isExpertDrive(drive) && !confirmsAgain(typedAgain, drive)) return `Type the device name${of}.`
  }
  return null
}

function isBuiltIn(drive: ListedDrive): boolean {
  return drive.reasons.includes('not-removable')
}
