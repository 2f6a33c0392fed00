import { deviceName, displayName, driveName } from '../../../shared/drive'
import type { ListedDrive } from '../../../shared/ipc/contract'
import { formatBytes } from '../../../shared/amounts'
import { DriveBar } from '../../ui/drive-bar'
import { DriveIdentity } from '../../ui/drive-identity'
import { Checkbox, TextField } from '../../ui/field'
import { plural } from '../../words'
import { isExpertDrive } from './write-source'
import styles from './flash.module.css'

/** How much is in use: a sum only where all of it is known, for a sum of what is known would be too small. */
function usedWords({ volumes }: ListedDrive): string {
  const known = volumes.flatMap(({ usedBytes }) => (usedBytes === null ? [] : [usedBytes]))
  const used = formatBytes(known.reduce((sum, bytes) => sum + bytes, 0))
  if (known.length === volumes.length) return `${used} in use`
  return known.length === 0 ? 'use unknown' : `at least ${used} in use`
}

/** What will be lost on one drive, and the name to type. The only red in the window beside the button that erases. */
export function Loss(props: {
  drive: ListedDrive
  mustUnmount: boolean
  unmount: boolean
  typed: string
  typedAgain: string
  onChange: (change: { typed?: string; typedAgain?: string; unmount?: boolean }) => void
}) {
  const { drive, onChange } = props
  const name = driveName(drive)
  const isBlocked = props.mustUnmount && !props.unmount
  return (
    <section className={styles.target} aria-label={`${name}, ${drive.device}`}>
      <div className={styles.loss} role="group" aria-label="What will be lost">
        <h3 className={styles.lossTitle}>
          Everything on {name} will be lost <code className={styles.device}>{drive.device}</code>
        </h3>
        <DriveBar drive={drive} />
        {drive.volumes.length === 0 ? (
          <p>
            This system knows no partition and no file system on it. That does not prove that it is empty.
          </p>
        ) : (
          <>
            <p>
              {plural(drive.volumes.length, 'volume', 'volumes')}, {usedWords(drive)}:
            </p>
            <ul className={styles.volumes}>
              {drive.volumes.map((volume) => (
                <li key={volume.device}>
                  <strong>
                    {volume.label === null ? 'no name' : displayName(volume.label) || 'no name'}
                  </strong>
                  , {volume.fileSystem ?? 'unknown content'}, {formatBytes(volume.sizeBytes)},{' '}
                  {volume.usedBytes === null ? 'use unknown' : `${formatBytes(volume.usedBytes)} in use`},{' '}
                  <code>{volume.device}</code>
                  {volume.mountpoints.length > 0 && (
                    <>
                      {' '}
                      mounted at <code>{volume.mountpoints.join(', ')}</code>
                    </>
                  )}
                </li>
              ))}
            </ul>
          </>
        )}
        <DriveIdentity drive={drive} />
        {props.mustUnmount && (
          <Checkbox isSelected={props.unmount} onChange={(unmount) => onChange({ unmount })}>
            Unmount it first. Programs that use its files must be closed.
          </Checkbox>
        )}
      </div>
      <TextField
        label={
          <>
            {drive.nameToType === name
              ? 'To confirm, type the drive’s name: '
              : 'Another drive has the same name. To confirm, type the drive’s name with its device: '}
            <span className={styles.nameToType}>{drive.nameToType}</span>
          </>
        }
        value={props.typed}
        onChange={(typed) => onChange({ typed })}
        isDisabled={isBlocked}
      />
      {isExpertDrive(drive) && (
        <TextField
          label={
            <>
              It is{' '}
              {drive.reasons.includes('not-removable') ? 'built into this computer' : 'larger than 128 GB'}.
              To erase it nevertheless, type its device name:{' '}
              <span className={styles.nameToType}>{deviceName(drive)}</span>
            </>
          }
          value={props.typedAgain}
          onChange={(typedAgain) => onChange({ typedAgain })}
          isDisabled={isBlocked}
        />
      )}
    </section>
  )
}
