import type { ListedDisk } from '../../../shared/ipc/contract'
import { formatBytes } from '../../../shared/amounts'
import { useCall } from '../../api/api'
import { Button } from '../../ui/button'
import { FailureNotice } from '../../ui/notice'
import { Sheet } from '../../ui/sheet'
import styles from './disks.module.css'

/** Asks before a disk's file is deleted; taking it off the list alone is offered beside. */
export function DeleteDisk(props: { disk: ListedDisk; isOpen: boolean; onClose: () => void }) {
  const { disk } = props
  const remove = useCall('deleteDisk')
  const forget = useCall('forgetDisk')
  const failure = remove.failure ?? forget.failure
  const close = (): void => {
    remove.clear()
    forget.clear()
    props.onClose()
  }
  const closeAfter = async (done: Promise<unknown>): Promise<void> => {
    if ((await done) !== null) close()
  }
  return (
    <Sheet
      title={`Delete ${disk.name}?`}
      role="alertdialog"
      isOpen={props.isOpen}
      onClose={close}
      footer={
        <>
          <Button autoFocus onPress={close}>
            Keep it
          </Button>
          <Button
            isDisabled={forget.pending}
            onPress={() => void closeAfter(forget.run({ diskId: disk.id }))}
          >
            Only take off the list
          </Button>
          <Button
            look="primary"
            isDisabled={remove.pending}
            onPress={() => void closeAfter(remove.run({ diskId: disk.id }))}
          >
            Delete the file
          </Button>
        </>
      }
    >
      <p>
        The file of {formatBytes(disk.sizeBytes)} is deleted from this computer. The image {disk.source.image}{' '}
        and all drives stay as they are.
      </p>
      <code className={styles.path}>{disk.path}</code>
      {failure !== null && <FailureNotice failure={failure} />}
    </Sheet>
  )
}
