import { useEffect, useRef, useState } from 'react'
import { Tab, TabList, TabPanel, Tabs } from 'react-aria-components'
import { typingPlaces, type TypingPlace } from '../../../shared/preview'
import { useApi, useCall, useTopic } from '../../api/api'
import { Button } from '../../ui/button'
import { cx } from '../../ui/cx'
import { ConsoleIcon, FullScreenIcon, PasteIcon, PictureIcon, ScreenIcon, StopIcon } from '../../ui/icons'
import { FailureNotice } from '../../ui/notice'
import { KeyMenu } from './key-menu'
import styles from './preview.module.css'
import { Screen } from './screen'
import { SerialConsole } from './serial-console'
import type { PreviewSession } from './sessions'

/** A machine's screen and serial console, and the tools for what is shown. */
export function MachineView({ session, isRunning }: { session: PreviewSession; isRunning: boolean }) {
  const { previewId } = session
  const [place, setPlace] = useState<TypingPlace>('screen')
  const paste = useCall('pasteIntoPreview')
  const stopPaste = useCall('stopPastingIntoPreview')
  const picture = useCall('savePreviewPicture')
  const [isFull, setFull] = useFullScreen()
  const [saved, setSaved] = useState<string | null>(null)
  const save = async (): Promise<void> => {
    const answer = await picture.run({ previewId })
    if (answer !== null) setSaved(answer.value)
  }
  const failure = paste.failure ?? picture.failure
  return (
    <Tabs
      className={cx(styles.tabs, isFull && styles.full)}
      selectedKey={place}
      onSelectionChange={(key) => setPlace(typingPlaces.find((one) => one === key) ?? 'screen')}
    >
      {failure !== null && <FailureNotice failure={failure} />}
      <div className={styles.bar}>
        <TabList className={styles.tabList ?? ''} aria-label="Views of the machine">
          <Tab id="screen" className={styles.tab ?? ''}>
            <ScreenIcon />
            Screen
          </Tab>
          <Tab id="serial" className={styles.tab ?? ''}>
            <ConsoleIcon />
            Serial console
          </Tab>
        </TabList>
        <div className={styles.tools} role="group" aria-label="Tools">
          {place === 'screen' && <KeyMenu session={session} isDisabled={!isRunning} />}
          {paste.pending ? (
            <Button look="quiet" icon={<StopIcon />} onPress={() => void stopPaste.run({ previewId })}>
              Stop typing
            </Button>
          ) : (
            <Button
              look="quiet"
              icon={<PasteIcon />}
              isDisabled={!isRunning}
              onPress={() => void paste.run({ previewId, place })}
            >
              Type the clipboard
            </Button>
          )}
          <Button
            look="quiet"
            icon={<PictureIcon />}
            isDisabled={!isRunning || picture.pending}
            onPress={() => void save()}
          >
            Picture…
          </Button>
          <Button look="quiet" icon={<FullScreenIcon />} onPress={() => setFull(!isFull)}>
            {isFull ? 'Leave full screen' : 'Full screen'}
          </Button>
        </div>
      </div>
      {saved !== null && (
        <p className={styles.saved} role="status">
          Saved {saved}
        </p>
      )}
      <TabPanel id="screen" className={styles.panel ?? ''}>
        <Screen session={session} isRunning={isRunning} />
      </TabPanel>
      <TabPanel id="serial" className={styles.panel ?? ''}>
        <SerialConsole session={session} />
      </TabPanel>
    </Tabs>
  )
}

/**
 * Whether the machine fills the whole screen, and the function that changes it. A window that leaves full screen, by
 * the menu or the system's keys, takes the machine back to its page; and a page that is left leaves a window full
 * that was so before.
 */
function useFullScreen(): [isFull: boolean, setFull: (full: boolean) => void] {
  const call = useApi()
  const isWindowFull = useTopic('fullScreen') ?? false
  const [isWished, setIsWished] = useState(false)
  /** Whether the window became full for the machine's sake, so that it has to go back. */
  const isOurs = useRef(false)
  /** Whether the window was full since the wish: until then it is on its way. */
  const [wasFull, setWasFull] = useState(false)
  if (isWished && isWindowFull && !wasFull) setWasFull(true)
  if (isWished && wasFull && !isWindowFull) {
    setIsWished(false)
    setWasFull(false)
  }
  const leave = (): void => {
    if (isOurs.current) void call('setFullScreen', { isFull: false })
    isOurs.current = false
  }
  const setFull = (full: boolean): void => {
    setIsWished(full)
    setWasFull(false)
    if (!full) leave()
    else if (!isWindowFull) {
      isOurs.current = true
      void call('setFullScreen', { isFull: true })
    }
  }
  const onLeave = useRef(leave)
  useEffect(() => {
    onLeave.current = leave
  })
  useEffect(() => () => onLeave.current(), [])
  useEffect(() => {
    if (!isWindowFull) isOurs.current = false
  }, [isWindowFull])
  return [isWished, setFull]
}
