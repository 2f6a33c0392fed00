import { ListBox, ListBoxItem } from 'react-aria-components'
import { displayName, type RefusalReason } from '../../../shared/drive'
import type { ListedDrive } from '../../../shared/ipc/contract'
import { formatBytes } from '../../../shared/amounts'
import { describeReason } from '../../../shared/sentences'
import { DriveIcon } from '../../ui/icons'
import styles from './flash.module.css'

/** The drives to choose from, one or several. Those that may not be written say why and cannot be chosen. */
export function DriveChoice(props: {
  drives: readonly ListedDrive[]
  reasonsFor: (drive: ListedDrive) => RefusalReason[]
  chosen: readonly string[]
  onChoose: (keys: string[]) => void
}) {
  return (
    <ListBox
      aria-label="Drives to write to"
      className={styles.choice ?? ''}
      items={props.drives.map((drive) => ({ id: drive.key, drive }))}
      dependencies={[props.reasonsFor]}
      selectionMode="multiple"
      selectedKeys={props.chosen}
      onSelectionChange={(keys) => {
        // Drives are chosen one by one: Ctrl+A would choose what nobody has looked at.
        if (keys !== 'all') props.onChoose([...keys].map(String))
      }}
      renderEmptyState={() => (
        <p className={styles.empty}>No drive is plugged in. Plug in a USB stick or a memory card.</p>
      )}
    >
      {({ id, drive }) => {
        const reasons = props.reasonsFor(drive)
        const against = reasons.filter((reason) => reason !== 'mounted')
        return (
          <ListBoxItem
            id={id}
            textValue={drive.name}
            isDisabled={against.length > 0}
            className={styles.drive ?? ''}
          >
            <DriveIcon />
            <span className={styles.driveHead}>
              <span className={styles.driveName}>{drive.name}</span>
              <span>
                {formatBytes(drive.sizeBytes)} <code className={styles.device}>{drive.device}</code>
              </span>
            </span>
            <span className={styles.driveDetail}>
              {against[0] === undefined ? contents(drive) : describeReason(against[0])}
            </span>
          </ListBoxItem>
        )
      }}
    </ListBox>
  )
}

function contents(drive: ListedDrive): string {
  const names = drive.volumes.map((volume) =>
    volume.label === null || displayName(volume.label) === ''
      ? (volume.fileSystem ?? 'unknown content')
      : displayName(volume.label),
  )
  return names.length === 0 ? 'empty, as far as this system can tell' : names.join(', ')
}
