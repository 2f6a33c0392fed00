import type { ListedDisk } from '../../../shared/ipc/contract'
import { formatBytes } from '../../../shared/amounts'
import { useCopyMenu } from '../../ui/copy-menu'
import { DiskIcon } from '../../ui/icons'
import { SideList } from '../../ui/side-list'
import { SideSection } from '../../ui/side-section'
import { proofWords } from './proof'

/** The disks that Slipway built. */
export function DiskList(props: {
  disks: readonly ListedDisk[] | undefined
  chosen: string | null
  onChoose: (id: string) => void
}) {
  const menu = useCopyMenu()
  return (
    <SideSection title="Disks" icon={<DiskIcon />}>
      <SideList
        label="Disks"
        chosen={props.chosen}
        onChoose={props.onChoose}
        entries={(props.disks ?? []).map((disk) => ({
          id: disk.id,
          title: disk.name,
          detail: disk.present
            ? `${formatBytes(disk.sizeBytes)}, ${proofWords(disk)}`
            : 'the file is gone or changed',
          onContextMenu: menu.open([
            { label: 'Copy path', text: disk.path },
            { label: 'Copy image digest', text: disk.source.digest },
          ]),
        }))}
        empty={props.disks === undefined ? 'Looking for disks.' : 'None built yet.'}
      />
      {menu.element}
    </SideSection>
  )
}
