import type { ReactNode } from 'react'
import { Button, Disclosure as AriaDisclosure, DisclosurePanel, Heading } from 'react-aria-components'
import { ChevronDownIcon } from './icons'
import styles from './disclosure.module.css'

/**
 * A part that is folded away under its title until somebody wants it.
 * @param summary what is set in it, so that nobody must open it to know
 * @param error why something in it cannot be used, or null; it takes the place of the summary
 */
export function Disclosure(props: {
  title: string
  summary: ReactNode
  error?: string | null
  children: ReactNode
}) {
  const error = props.error ?? null
  return (
    // Whoever comes here because something is wrong sees it at once.
    <AriaDisclosure className={styles.disclosure ?? ''} defaultExpanded={error !== null}>
      <Heading level={3} className={styles.heading ?? ''}>
        <Button slot="trigger" className={styles.trigger ?? ''}>
          <ChevronDownIcon size={14} />
          <span className={styles.title}>{props.title}</span>
          <span className={error === null ? styles.summary : styles.wrong}>{error ?? props.summary}</span>
        </Button>
      </Heading>
      <DisclosurePanel className={styles.panel ?? ''}>
        <div className={styles.inner}>{props.children}</div>
      </DisclosurePanel>
    </AriaDisclosure>
  )
}

/** Disclosures below one another, with a line between. */
export function Disclosures({ children }: { children: ReactNode }) {
  return <div className={styles.group}>{children}</div>
}
