import { useState } from 'react'
import type { BuildSettings, ImageFacts } from '../../../shared/image'
import type { CallValue, HostState } from '../../../shared/ipc/contract'
import { isActive, type JobSnapshot } from '../../../shared/job'
import { formatBytes } from '../../../shared/sentences'
import { useCall } from '../../api/api'
import { Button } from '../../ui/button'
import { Copyable } from '../../ui/copy-menu'
import { Checkbox } from '../../ui/field'
import { FailureNotice } from '../../ui/notice'
import styles from './convert.module.css'
import { argumentsError, sizeError } from './disk-settings'

/** Why no disk can be built now, or null when one can. */
export function buildObstacle(
  facts: ImageFacts,
  settings: BuildSettings,
  neededBytes: number,
  host: HostState | undefined,
): string | null {
  const missing: string[] = []
  if (facts.kernel === null) missing.push('a kernel')
  else if (facts.initramfs === null) missing.push('an initial RAM disk')
  if (facts.init === null) missing.push('an init system')
  if (missing.length > 0) return `Cannot be built yet: the image lacks ${missing.join(' and ')}.`
  const tooSmall = sizeError(settings, neededBytes)
  if (tooSmall !== null) return tooSmall
  const wrongArguments = argumentsError(settings)
  if (wrongArguments !== null) return wrongArguments
  const ability = host?.engines[settings.engine]
  if (ability?.firmware.length === 0) {
    return `Missing on this computer: ${ability.missing.join(', ')}. See Disk, “How it is built”.`
  }
  return null
}

/** Where the disk goes, how large it is, and the button that builds it. */
export function BuildBar(props: {
  imageId: string
  facts: ImageFacts
  settings: BuildSettings
  estimate: CallValue<'estimateBuild'>
  host: HostState | undefined
  job: JobSnapshot | null
  onStarted: (jobId: string) => void
  onShowDisk: (diskId: string) => void
}) {
  const { imageId, settings, estimate, job } = props
  const [chosenPath, setChosenPath] = useState<string | null>(null)
  const [proves, setProves] = useState(false)
  const choose = useCall('chooseDiskPath')
  const build = useCall('buildDisk')
  const canProve = props.host?.qemu.found === true
  const isBuilding = job !== null && isActive(job)
  const obstacle = buildObstacle(props.facts, settings, estimate.neededBytes, props.host)
  const path = chosenPath ?? estimate.outputPath
  const builtDisk = job?.state === 'succeeded' ? job.diskId : null

  const changePath = async (): Promise<void> => {
    const answer = await choose.run({ imageId })
    if (answer?.value != null) setChosenPath(answer.value)
    build.clear()
  }
  const start = async (): Promise<void> => {
    const answer = await build.run({ imageId, settings, prove: proves && canProve })
    if (answer !== null) {
      setChosenPath(null)
      props.onStarted(answer.value.jobId)
    }
  }
  const failure = build.failure ?? choose.failure
  return (
    <div className={styles.buildBar}>
      {failure !== null && (
        <FailureNotice
          failure={failure}
          actions={
            failure.code.startsWith('output-') || failure.code === 'no-space' ? (
              <Button onPress={() => void changePath()}>Choose another place…</Button>
            ) : undefined
          }
        />
      )}
      <div className={styles.buildRow}>
        <div className={styles.output}>
          <p className={styles.outputLine}>
            <Copyable label="Copy path" text={path} />
            <Button size="small" isDisabled={isBuilding || choose.pending} onPress={() => void changePath()}>
              Change…
            </Button>
          </p>
          <p id="build-note" className={obstacle === null ? styles.soft : styles.obstacle}>
            {obstacle ?? formatBytes(settings.sizeBytes ?? estimate.defaultBytes)}
            {obstacle === null &&
              settings.engine === 'kernel' &&
              props.host?.elevation.needed === true &&
              ', asks for an administrator’s password'}
          </p>
        </div>
        {canProve && (
          <Checkbox isSelected={proves} onChange={setProves}>
            Prove after build
          </Checkbox>
        )}
        {builtDisk !== null && <Button onPress={() => props.onShowDisk(builtDisk)}>Show the disk</Button>}
        <Button
          look="primary"
          isDisabled={obstacle !== null || isBuilding || build.pending}
          aria-describedby="build-note"
          onPress={() => void start()}
        >
          {isBuilding ? 'Building' : 'Build disk'}
        </Button>
      </div>
    </div>
  )
}
