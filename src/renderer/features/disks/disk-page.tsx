import { useState } from 'react'
import { bootObstacle } from '../../../shared/bootable'
import type { HostState, ListedDisk } from '../../../shared/ipc/contract'
import { cameUp } from '../../../shared/proof'
import { formatBytes } from '../../../shared/amounts'
import { useCall } from '../../api/api'
import { Button } from '../../ui/button'
import { Copyable } from '../../ui/copy-menu'
import { Facts } from '../../ui/facts'
import { DeleteIcon, FolderIcon, PlayIcon, WriteIcon } from '../../ui/icons'
import { FailureNotice, HelpButton, Notice } from '../../ui/notice'
import { Page, Section } from '../../ui/page'
import { formatMoment } from '../../words'
import { BootProofs } from './boot-proofs'
import { DeleteDisk } from './delete-disk'
import styles from './disks.module.css'
import { firmwareNames } from './proof'

/**
 * A built disk: where it comes from, what is proven of it, and what can be done with it.
 * @param isPreviewed whether it runs in a preview now
 * @param isProving whether it is booted without a window now
 * @param onPreview opens the preview's page
 * @param onWrite opens the sheet that writes it
 */
export function DiskPage(props: {
  disk: ListedDisk
  host: HostState | undefined
  isPreviewed: boolean
  isProving: boolean
  onPreview: () => void
  onWrite: () => void
}) {
  const { disk, host } = props
  const [isDeleting, setIsDeleting] = useState(false)
  const showInFolder = useCall('showDiskInFolder')
  const forget = useCall('forgetDisk')
  const failure = showInFolder.failure ?? forget.failure
  const obstacle = bootObstacle(disk, host?.qemu.firmware)
  const canBoot = disk.present && obstacle === null
  // What does not boot is to be looked at before it is written.
  const isProven = disk.proofs.length > 0 && disk.proofs.every(cameUp)
  const canWrite = disk.present && !(host?.elevation.needed === true && !host.elevation.found)
  return (
    <Page
      title={disk.name}
      facts={`${formatBytes(disk.sizeBytes)}, built ${formatMoment(disk.builtAt)} from ${disk.source.image}`}
      actions={
        <>
          <Button
            look={isProven ? 'plain' : 'primary'}
            icon={<PlayIcon />}
            isDisabled={!canBoot}
            onPress={props.onPreview}
          >
            {props.isPreviewed ? 'Show preview' : 'Preview'}
          </Button>
          <Button
            look={isProven ? 'primary' : 'plain'}
            icon={<WriteIcon />}
            isDisabled={!canWrite}
            onPress={props.onWrite}
          >
            Write to a stick…
          </Button>
        </>
      }
      footer={
        <div className={styles.footer}>
          <Button
            look="quiet"
            icon={<FolderIcon />}
            isDisabled={!disk.present}
            onPress={() => void showInFolder.run({ diskId: disk.id })}
          >
            Show in folder
          </Button>
          {disk.present ? (
            <Button look="quiet" icon={<DeleteIcon />} onPress={() => setIsDeleting(true)}>
              Delete…
            </Button>
          ) : (
            <Button look="quiet" icon={<DeleteIcon />} onPress={() => void forget.run({ diskId: disk.id })}>
              Take off the list
            </Button>
          )}
        </div>
      }
    >
      {failure !== null && <FailureNotice failure={failure} />}
      {!disk.present && (
        <Notice>
          <p className={styles.strong}>The file is gone, or is not the file that was built.</p>
          <p>It cannot be previewed or written. Put it back, or build the disk again.</p>
        </Notice>
      )}
      {obstacle === 'packed' && (
        <Notice>
          <p className={styles.strong}>A packed disk is not booted here.</p>
          <p>It can be written as it is. To see whether it boots, unpack it, or build it as raw or qcow2.</p>
        </Notice>
      )}
      {obstacle === 'data' && (
        <Notice>
          <p className={styles.strong}>This disk holds data alone: it was built without a boot loader.</p>
          <p>There is nothing on it to be previewed or proven. It can be written as it is.</p>
        </Notice>
      )}
      {obstacle === 'qemu-missing' && host !== undefined && <QemuMissing disk={disk} host={host} />}
      {host?.elevation.needed === true && !host.elevation.found && (
        <Notice>
          <p className={styles.strong}>Sticks cannot be written: nothing here can ask for permission.</p>
          <p>{host.elevation.remedy}</p>
        </Notice>
      )}
      <BootProofs disk={disk} canBoot={canBoot} isProving={props.isProving} />
      <Section title="Origin">
        <Facts
          rows={[
            ['Image', <Copyable key="image" label="Copy image name" text={disk.source.image} />],
            ['Digest', <Copyable key="digest" label="Copy image digest" text={disk.source.digest} />],
            ['Built', formatMoment(disk.builtAt)],
            ['Built by', disk.engine === 'direct' ? 'Slipway itself (direct)' : 'This system’s kernel'],
          ]}
        />
      </Section>
      <Section title="File">
        <Facts
          rows={[
            ['Path', <Copyable key="path" label="Copy path" text={disk.path} />],
            ['Size', formatBytes(disk.sizeBytes)],
            [
              'Made for',
              disk.firmware.length === 0 ? 'Data alone' : `${firmwareNames(disk.firmware)} firmware`,
            ],
          ]}
        />
      </Section>
      <DeleteDisk disk={disk} isOpen={isDeleting} onClose={() => setIsDeleting(false)} />
    </Page>
  )
}

function QemuMissing({ disk, host }: { disk: ListedDisk; host: HostState }) {
  const remedy = host.qemu.remedy[disk.architecture]
  return (
    <Notice>
      <p className={styles.strong}>
        {disk.architecture === 'arm64'
          ? 'There is no preview of arm64 machines on this computer: their QEMU or its firmware is not installed.'
          : 'There is no preview on this computer: QEMU is not installed.'}
      </p>
      {remedy !== '' && (
        <p>
          Install it with: <Copyable label="Copy command" text={remedy} />
        </p>
      )}
      <div className={styles.noticeButton}>
        <HelpButton page="qemu-install">How to install QEMU</HelpButton>
      </div>
    </Notice>
  )
}
