import type { ReactNode } from 'react'
import styles from './page.module.css'

/**
 * A page of a noun: title, a line of facts, what it is about, and at its foot
 * the bar with the primary action.
 */
export function Page(props: {
  /** A button before the title that leads to the page above. */
  back?: ReactNode
  title: ReactNode
  facts: ReactNode
  /** Buttons at the right of the title. */
  actions?: ReactNode
  /** The bar at the foot of the page. */
  footer?: ReactNode
  children: ReactNode
}) {
  return (
    <div className={styles.page}>
      <header className={styles.head}>
        <div className={styles.headText}>
          {props.back}
          <h1 className={styles.title}>{props.title}</h1>
          <p className={styles.factsLine}>{props.facts}</p>
        </div>
        {props.actions !== undefined && <div className={styles.actions}>{props.actions}</div>}
      </header>
      {/* Focusable, because what is longer than the window must be scrolled by keyboard too (WCAG 2.1.1). */}
      <div className={styles.body} role="group" aria-label="Details" tabIndex={0}>
        {props.children}
      </div>
      {props.footer !== undefined && <footer className={styles.footer}>{props.footer}</footer>}
    </div>
  )
}

/** A part of a page under its own heading. */
export function Section({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className={styles.section}>
      <h2 className={styles.sectionTitle}>{title}</h2>
      {children}
    </section>
  )
}

/** A page that has nothing to show yet, and says what to do. */
export function EmptyPage({ title, children }: { title: string; children: ReactNode }) {
  return (
    <div className={styles.empty}>
      <div className={styles.emptyInner}>
        <h1 className={styles.title}>{title}</h1>
        {children}
      </div>
    </div>
  )
}
