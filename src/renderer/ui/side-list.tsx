import type { MouseEvent, ReactNode } from 'react'
import { ListBox, ListBoxItem } from 'react-aria-components'
import styles from './side-list.module.css'

export interface SideListEntry {
  id: string
  title: string
  detail: ReactNode
  onContextMenu: (event: MouseEvent) => void
}

/**
 * A list of the side bar: one entry is chosen, arrow keys choose as they move.
 * @param label names the list
 * @param chosen the chosen entry's id, or null
 */
export function SideList(props: {
  label: string
  entries: readonly SideListEntry[]
  chosen: string | null
  onChoose: (id: string) => void
  empty: ReactNode
}) {
  return (
    <ListBox
      aria-label={props.label}
      className={styles.list ?? ''}
      items={props.entries}
      selectionMode="single"
      selectionBehavior="replace"
      selectedKeys={props.chosen === null ? [] : [props.chosen]}
      onSelectionChange={(keys) => {
        if (keys === 'all') return
        const [id] = keys
        if (id !== undefined) props.onChoose(String(id))
      }}
      renderEmptyState={() => <div className={styles.empty}>{props.empty}</div>}
    >
      {(entry) => (
        <ListBoxItem
          id={entry.id}
          textValue={entry.title}
          className={styles.entry ?? ''}
          onContextMenu={entry.onContextMenu}
          // Choosing the chosen entry is no change of selection, but leads back to its page from one below it.
          onPress={() => {
            if (entry.id === props.chosen) props.onChoose(entry.id)
          }}
        >
          <span className={styles.title}>{entry.title}</span>
          <span className={styles.detail}>{entry.detail}</span>
        </ListBoxItem>
      )}
    </ListBox>
  )
}
