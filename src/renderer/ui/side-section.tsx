import type { ReactNode } from 'react'
import { cx } from './cx'
import styles from './side-section.module.css'

/**
 * One noun of the side bar.
 * @param tools what belongs to the list, such as its search
 * @param grows whether it takes the room that the others leave
 */
export function SideSection(props: {
  title: string
  icon: ReactNode
  tools?: ReactNode
  grows?: boolean
  children: ReactNode
}) {
  return (
    <section className={cx(styles.section, props.grows === true && styles.grows)} aria-label={props.title}>
      <div className={styles.head}>
        {props.icon}
        <h2 className={styles.title}>{props.title}</h2>
      </div>
      {props.tools !== undefined && <div className={styles.tools}>{props.tools}</div>}
      <div className={styles.scroll}>{props.children}</div>
    </section>
  )
}
