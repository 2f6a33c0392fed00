import { useRef, useState, type MouseEvent, type ReactNode } from 'react'
import { Menu, MenuItem, Popover } from 'react-aria-components'
import { useApi } from '../api/api'
import { CopyIcon } from './icons'
import styles from './copy-menu.module.css'

export interface CopyEntry {
  /** `Copy path` */
  label: string
  text: string
}

/**
 * A context menu that copies. `open` makes the handler of an element;
 * `element` must be rendered once, anywhere.
 */
export function useCopyMenu(): {
  open: (entries: readonly CopyEntry[]) => (event: MouseEvent) => void
  element: ReactNode
} {
  const call = useApi()
  const anchor = useRef<HTMLSpanElement>(null)
  const [menu, setMenu] = useState<{ entries: readonly CopyEntry[]; x: number; y: number } | null>(null)
  const open = (entries: readonly CopyEntry[]) => (event: MouseEvent) => {
    event.preventDefault()
    event.stopPropagation()
    setMenu({ entries, x: event.clientX, y: event.clientY })
  }
  const element = (
    <>
      <span ref={anchor} className={styles.anchor} style={{ left: menu?.x ?? 0, top: menu?.y ?? 0 }} />
      <Popover
        className={styles.popover ?? ''}
        aria-label="Copy"
        triggerRef={anchor}
        isOpen={menu !== null}
        onOpenChange={(isOpen) => {
          if (!isOpen) setMenu(null)
        }}
        placement="bottom start"
        offset={2}
      >
        <Menu className={styles.menu ?? ''} aria-label="Copy" autoFocus="first">
          {(menu?.entries ?? []).map((entry) => (
            <MenuItem
              key={entry.label}
              className={styles.item ?? ''}
              textValue={entry.label}
              onAction={() => {
                void call('copyText', { text: entry.text })
                setMenu(null)
              }}
            >
              <CopyIcon />
              {entry.label}
            </MenuItem>
          ))}
        </Menu>
      </Popover>
    </>
  )
  return { open, element }
}

/** A path, digest or device name: monospaced, can be marked, and the right button copies it. */
export function Copyable({ label, text, shown }: { label: string; text: string; shown?: string }) {
  const menu = useCopyMenu()
  return (
    <>
      <code className={styles.copyable} title={text} onContextMenu={menu.open([{ label, text }])}>
        {shown ?? text}
      </code>
      {menu.element}
    </>
  )
}
