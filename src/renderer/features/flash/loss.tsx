import { displayName, driveName } from '../../../shared/drive'
import type { ListedDrive } from '../../../shared/ipc/contract'
import { formatBytes } from '../../../shared/sentences'
import { DriveBar } from '../../ui/drive-bar'
import { Checkbox, TextField } from '../../ui/field'
import { plural } from '../../words'
import styles from './flash.module.css'

/** What will be lost, and the name to type. The only red in the window beside the button that erases. */
export function Loss(props: {
  drive: ListedDrive
  mustUnmount: boolean
  unmount: boolean
  onUnmount: (unmount: boolean) => void
  typed: string
  onTyped: (typed: string) => void
}) {
  const { drive } = props
  const used = drive.volumes.reduce((sum, volume) => sum + (volume.usedBytes ?? 0), 0)
  return (
    <>
      <section className={styles.loss} aria-label="What will be lost">
        <h3 className={styles.lossTitle}>Everything on {driveName(drive)} will be lost</h3>
        <DriveBar drive={drive} />
        {drive.volumes.length === 0 ? (
          <p>
            This system knows no partition and no file system on it. That does not prove that it is empty.
          </p>
        ) : (
          <>
            <p>
              {plural(drive.volumes.length, 'volume', 'volumes')}
              {used > 0 && `, ${formatBytes(used)} in use`}:
            </p>
            <ul className={styles.volumes}>
              {drive.volumes.map((volume) => (
                <li key={volume.device}>
                  <strong>
                    {volume.label === null ? 'no name' : displayName(volume.label) || 'no name'}
                  </strong>
                  , {volume.fileSystem ?? 'unknown content'}, {formatBytes(volume.sizeBytes)},{' '}
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
        {props.mustUnmount && (
          <Checkbox isSelected={props.unmount} onChange={props.onUnmount}>
            Unmount it first. Programs that use its files must be closed.
          </Checkbox>
        )}
      </section>
      <TextField
        label={
          <>
            To confirm, type the drive’s name: <span className={styles.nameToType}>{driveName(drive)}</span>
          </>
        }
        value={props.typed}
        onChange={props.onTyped}
        isDisabled={props.mustUnmount && !props.unmount}
      />
    </>
  )
}
