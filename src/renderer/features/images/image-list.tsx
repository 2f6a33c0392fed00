import { useState } from 'react'
import type { EngineState } from '../../../shared/ipc/contract'
import type { ImageSummary } from '../../../shared/image'
import { formatBytes } from '../../../shared/amounts'
import { Button } from '../../ui/button'
import { useCopyMenu } from '../../ui/copy-menu'
import { SearchField } from '../../ui/field'
import { SideList } from '../../ui/side-list'
import { SideSection } from '../../ui/side-section'
import { ImageIcon } from '../../ui/icons'
import { formatAge, useNow } from '../../words'
import styles from './images.module.css'
import type { ArchiveOpening } from './open-archive'
import { imageName, searchImages } from './image-name'

/** The local images with their search. */
export function ImageList(props: {
  images: readonly ImageSummary[] | undefined
  engine: EngineState | undefined
  chosen: string | null
  onChoose: (id: string) => void
  opening: ArchiveOpening
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
      tools={
        <div className={styles.tools}>
          <SearchField label="Search images" value={search} onChange={setSearch} />
          <Button
            size="small"
            isDisabled={props.opening.isPending}
            aria-keyshortcuts="Control+O"
            onPress={props.opening.choose}
          >
            Open archive…
          </Button>
          {props.opening.isPending && (
            <p role="status" className={styles.opening}>
              Opening the archive.
            </p>
          )}
        </div>
      }
    >
      <SideList
        label="Images"
        chosen={props.chosen}
        onChoose={props.onChoose}
        entries={found.map((image) => ({
          id: image.id,
          title: imageName(image),
          detail: detailOf(image, now),
          onContextMenu: menu.open([
            { label: 'Copy name', text: imageName(image) },
            image.file === null
              ? { label: 'Copy digest', text: image.id }
              : { label: 'Copy path', text: image.file },
          ]),
        }))}
        empty={emptyText(props.engine, props.images, search)}
      />
      {menu.element}
    </SideSection>
  )
}

/** Size, architecture and age, and that it lies in a file and not in the engine. */
function detailOf(image: ImageSummary, now: number): string {
  const facts = [formatBytes(image.sizeBytes), image.architecture, formatAge(image.createdAt, now)]
  return [...(image.file === null ? [] : ['File']), ...facts].filter((fact) => fact !== '').join(', ')
}

function emptyText(
  engine: EngineState | undefined,
  images: readonly ImageSummary[] | undefined,
  search: string,
): string {
  if (images !== undefined && images.length > 0) return `No image is called “${search}”.`
  if (engine?.state === 'unavailable') return 'Docker is not available.'
  if (images === undefined || engine?.state !== 'ready') return 'Looking for images.'
  return 'No images yet. Build or pull one with docker.'
}
