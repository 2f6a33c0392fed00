import { useEffect, useState } from 'react'
import type { ListedDisk } from '../../../shared/ipc/contract'
import { verdictOf, type Proof } from '../../../shared/proof'
import { describeProof, firmwareTitles } from '../../../shared/sentences'
import { useApi, useCall } from '../../api/api'
import { Button } from '../../ui/button'
import { CheckIcon, MissingIcon, NoticeIcon, ProveIcon } from '../../ui/icons'
import { FailureNotice } from '../../ui/notice'
import { Section } from '../../ui/page'
import { Sheet } from '../../ui/sheet'
import { formatMoment } from '../../words'
import styles from './disks.module.css'
import { firmwareProofs } from './proof'

/**
 * What boots of the disk have shown under each firmware, with the pictures of its screen, and the button that boots it
 * without a window.
 * @param canBoot whether there is a disk and a QEMU to do so
 * @param isProving whether that is being done now
 */
export function BootProofs(props: { disk: ListedDisk; canBoot: boolean; isProving: boolean }) {
  const { disk } = props
  const prove = useCall('proveDisk')
  return (
    <Section title="Proof">
      {disk.proofs.length === 0 && disk.firmware.length > 0 && (
        <p className={styles.unproven}>
          <span>
            <strong>Unproven:</strong> never booted. A preview shows whether it does; a proof boots it under
            each firmware without a window. Both leave the file as it is.
          </span>
        </p>
      )}
      {disk.proofs.length > 0 && (
        <ul className={styles.proofs}>
          {firmwareProofs(disk).map(({ firmware, proof }) => (
            <li key={firmware} className={styles.proof}>
              {proof === null ? (
                <p className={styles.unproven}>
                  <span>
                    <strong>Unproven</strong> under {firmwareTitles[firmware]}.
                  </span>
                </p>
              ) : (
                <BootProof diskId={disk.id} proof={proof} />
              )}
            </li>
          ))}
        </ul>
      )}
      {prove.failure !== null && <FailureNotice failure={prove.failure} />}
      <div>
        <Button
          icon={<ProveIcon />}
          isDisabled={!props.canBoot || props.isProving || prove.pending}
          onPress={() => void prove.run({ diskId: disk.id })}
        >
          {props.isProving ? 'Being proven' : 'Prove that it boots'}
        </Button>
      </div>
    </Section>
  )
}

const looks = {
  boots: { style: styles.proven, icon: <CheckIcon /> },
  failing: { style: styles.failing, icon: <NoticeIcon /> },
  unclear: { style: styles.failing, icon: <NoticeIcon /> },
  fails: { style: styles.failed, icon: <MissingIcon /> },
}

function BootProof({ diskId, proof }: { diskId: string; proof: Proof }) {
  const { style, icon } = looks[verdictOf(proof)]
  return (
    <div className={style}>
      {icon}
      <div className={styles.proofWords}>
        <p>
          <strong>{describeProof(proof)}</strong>
        </p>
        <p className={styles.proofFacts}>
          {formatMoment(proof.at)}, attached as {attachmentTitles[proof.attachment]}
        </p>
      </div>
      {proof.picture && <ScreenPicture diskId={diskId} proof={proof} />}
      {verdictOf(proof) === 'fails' && proof.lines.length > 0 && (
        <pre
          className={styles.lines}
          tabIndex={0}
          aria-label={`Last lines under ${firmwareTitles[proof.firmware]}`}
        >
          {proof.lines.join('\n')}
        </pre>
      )}
    </div>
  )
}

/** How the disk is plugged in, within a sentence. */
const attachmentTitles: Record<Proof['attachment'], string> = {
  usb: 'a USB stick',
  sata: 'a SATA drive',
  nvme: 'an NVMe drive',
  virtio: 'a virtio disk',
}

/** A small picture of the last screen; it opens in full size with the last rows as text. */
function ScreenPicture({ diskId, proof }: { diskId: string; proof: Proof }) {
  const call = useApi()
  const [picture, setPicture] = useState<string | null>(null)
  const [isOpen, setIsOpen] = useState(false)
  const { firmware, at } = proof
  useEffect(() => {
    let isCurrent = true
    void call('readProofPicture', { diskId, firmware }).then((answer) => {
      if (isCurrent) setPicture(answer.ok ? answer.value : null)
    })
    return () => {
      isCurrent = false
    }
    // A newer boot has another picture under the same name.
  }, [call, diskId, firmware, at])
  if (picture === null) return null
  const source = `data:image/png;base64,${picture}`
  const title = `Screen under ${firmwareTitles[firmware]}`
  return (
    <>
      <button className={styles.thumbnail} onClick={() => setIsOpen(true)}>
        <img src={source} alt={`${title}, show it large`} />
      </button>
      <Sheet
        title={title}
        size="large"
        isOpen={isOpen}
        onClose={() => setIsOpen(false)}
        footer={
          <Button autoFocus onPress={() => setIsOpen(false)}>
            Close
          </Button>
        }
      >
        <img className={styles.picture} src={source} alt={proof.lines.join('\n')} />
      </Sheet>
    </>
  )
}
