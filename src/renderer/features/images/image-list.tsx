import { useState } from 'react'
import type { EngineState } from '../../../shared/ipc/contract'
import type { ImageSummary } from '../../../shared/image'
import { formatBytes } from '../../../shared/sentences'
import { useCopyMenu } from '../../ui/copy-menu'
import { SearchField } from '../../ui/field'
import { SideList } from '../../ui/side-list'
import { SideSection } from '../../ui/side-section'
import { ImageIcon } from '../../ui/icons'
import { formatAge, useNow } from '../../words'
import { imageName, searchImages } from './image-name'

/** The local images with their search. */
export function ImageList(props: {
  images: readonly ImageSummary[] | undefined
  engine: EngineState | undefined
  chosen: string | null
  onChoose: (id: string) => void
}) {
  const [search, setSearch] = useState('')
  const now = useNow()
  const menu = useCopyMenu()

  const images = props.images ?? []
  const found = searchImages(images, search)
  return (
    <SideSection
      title="Images"
      icon={<ImageIcon />}
      grows
      tools={<SearchField label="Search images" value={search} onChange={setSearch} />}
    >
      <SideList
        label="Images"
        chosen={props.chosen}
        onChoose={props.onChoose}
        entries={found.map((image) => ({
          id: image.id,
          title: imageName(image),
          detail: [formatBytes(image.sizeBytes), image.architecture, formatAge(image.createdAt, now)].join(
            ', ',
          ),
          onContextMenu: menu.open([
            { label: 'Copy name', text: imageName(image) },
            { label: 'Copy digest', text: image.id },
          ]),
        }))}
        empty={emptyText(props.engine, props.images, search)}
      />
      {menu.element}
    </SideSection>
  )
}

function emptyText(
  engine: EngineState | undefined,
  images: readonly ImageSummary[] | undefined,
  search: string,
): string {
  if (engine?.state === 'unavailable') return 'Docker is not available.'
  if (images === undefined || engine?.state !== 'ready') return 'Looking for images.'
  if (images.length > 0) return `No image is called “${search}”.`
  return 'No images yet. Build or pull one with docker.'
}
