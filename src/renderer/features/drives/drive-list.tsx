import type { ListedDrive, OpenedFile } from '../../../shared/ipc/contract'
import { formatBytes } from '../../../shared/amounts'
import { useCall } from '../../api/api'
import { Button } from '../../ui/button'
import { useCopyMenu } from '../../ui/copy-menu'
import { DriveIcon, WriteIcon } from '../../ui/icons'
import { FailureNotice } from '../../ui/notice'
import { SideList } from '../../ui/side-list'
import { SideSection } from '../../ui/side-section'
import styles from './drives.module.css'

/** The drives that are plugged in now. */
export function DriveList(props: {
  drives: readonly ListedDrive[] | undefined
  chosen: string | null
  onChoose: (key: string) => void
  /** A file was opened to be written. */
  onFile: (file: OpenedFile) => void
}) {
  const menu = useCopyMenu()
  const open = useCall('openImageFile')
  const openFile = async (): Promise<void> => {
    const answer = await open.run(null)
    if (answer !== null && answer.value !== null) props.onFile(answer.value)
  }
  return (
    <SideSection title="Drives" icon={<DriveIcon />}>
      <SideList
        label="Drives"
        chosen={props.chosen}
        onChoose={props.onChoose}
        entries={(props.drives ?? []).map((drive) => ({
          id: drive.key,
          title: drive.name,
          detail: (
            <>
              {formatBytes(drive.sizeBytes)}, <code>{drive.device}</code>
            </>
          ),
          onContextMenu: menu.open([{ label: 'Copy device name', text: drive.device }]),
        }))}
        empty={props.drives === undefined ? 'Looking for drives.' : 'Plug in a USB stick or a memory card.'}
      />
      <div className={styles.fileButton}>
        <Button look="quiet" icon={<WriteIcon />} isDisabled={open.pending} onPress={() => void openFile()}>
          Write an image file…
        </Button>
      </div>
      {open.failure !== null && <FailureNotice failure={open.failure} />}
      {menu.element}
    </SideSection>
  )
}
