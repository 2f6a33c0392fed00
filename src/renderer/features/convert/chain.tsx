import type { ReactNode } from 'react'
import { Tab, TabList, TabPanel, Tabs } from 'react-aria-components'
import type { ChainLink, ChainLinkName, ChainNote } from '../../../shared/chain'
import { formatBytes } from '../../../shared/amounts'
import { cx } from '../../ui/cx'
import { CheckIcon, MissingIcon, PlusIcon } from '../../ui/icons'
import styles from './chain.module.css'

export const linkTitles: Record<ChainLinkName, string> = {
  disk: 'Disk',
  partition: 'Partition',
  bootloader: 'Boot loader',
  kernel: 'Kernel',
  init: 'Init',
  applications: 'Apps',
}

const stateWords: Record<ChainLink['state'], string> = {
  has: 'in the image',
  added: 'Slipway adds it',
  lacking: 'not complete',
  wrong: 'missing',
}

const noteWords: Record<ChainNote, string> = {
  architecture: 'cannot boot',
  engine: 'cannot be added here',
  'own-dockerfile': 'your Dockerfile',
  login: 'nobody can log in',
  network: 'no network',
  'login-network': 'no login, no network',
}

const marks: Record<ChainLink['state'], ReactNode> = {
  has: <CheckIcon size={14} />,
  added: <PlusIcon size={14} />,
  lacking: <MissingIcon size={14} />,
  wrong: <MissingIcon size={14} />,
}

/**
 * The HOWTO's chain as navigation: each link says what it is, and whether the
 * image has it, in colour, by a sign and in words; below is the chosen link.
 */
export function Chain(props: {
  /** `words` stand in the place of the state's own, where they say more. */
  links: readonly (ChainLink & { words?: string })[]
  chosen: ChainLinkName
  onChoose: (name: ChainLinkName) => void
  children: ReactNode
}) {
  return (
    <Tabs
      className={styles.tabs ?? ''}
      selectedKey={props.chosen}
      onSelectionChange={(key) => {
        const link = props.links.find(({ name }) => name === key)
        if (link !== undefined) props.onChoose(link.name)
      }}
    >
      <TabList className={styles.chain ?? ''} aria-label="From disk to applications">
        {props.links.map((link) => (
          <Tab key={link.name} id={link.name} className={cx(styles.link, styles[link.state])}>
            <span className={styles.mark}>{marks[link.state]}</span>
            <span className={styles.name}>{linkTitles[link.name]}</span>
            <span className={styles.value} title={valueText(link)}>
              {valueText(link)}
            </span>
            <span className={styles.state}>
              {link.words ?? (link.note === null ? stateWords[link.state] : noteWords[link.note])}
            </span>
          </Tab>
        ))}
      </TabList>
      <TabPanel key={props.chosen} id={props.chosen} className={styles.panel ?? ''}>
        {props.children}
      </TabPanel>
    </Tabs>
  )
}

function valueText({ value, name }: ChainLink): string {
  if (value.kind === 'bytes') return formatBytes(value.bytes)
  if (value.kind === 'text') return value.text
  return name === 'applications' ? 'no start command' : 'none'
}
