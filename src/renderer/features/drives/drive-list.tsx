import type { ListedDrive } from '../../../shared/ipc/contract'
import { formatBytes } from '../../../shared/sentences'
import { useCopyMenu } from '../../ui/copy-menu'
import { DriveIcon } from '../../ui/icons'
import { SideList } from '../../ui/side-list'
import { SideSection } from '../../ui/side-section'

/** The drives that are plugged in now. */
export function DriveList(props: {
  drives: readonly ListedDrive[] | undefined
  chosen: string | null
  onChoose: (key: string) => void
}) {
  const menu = useCopyMenu()
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
      {menu.element}
    </SideSection>
  )
}
