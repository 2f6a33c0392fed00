import type { ListedDrive } from '../../../shared/ipc/contract'
import { displayName } from '../../../shared/drive'
import { formatBytes } from '../../../shared/amounts'
import { describeReason } from '../../../shared/sentences'
import { DriveBar } from '../../ui/drive-bar'
import { Copyable } from '../../ui/copy-menu'
import { busWords, DriveIdentity } from '../../ui/drive-identity'
import { EmptyPage, Page, Section } from '../../ui/page'
import styles from './drives.module.css'

/** A drive is looked at: what is on it, and whether it may be written. */
export function DrivePage({ drive }: { drive: ListedDrive }) {
  return (
    <Page
      title={drive.name}
      facts={
        <>
          {formatBytes(drive.sizeBytes)}, {busWords(drive.bus)},{' '}
          <Copyable label="Copy device name" text={drive.device} />
        </>
      }
    >
      <DriveBar drive={drive} />
      <Section title="What is on it">
        <Volumes drive={drive} />
      </Section>
      <Section title="Can it be written?">
        <Verdict drive={drive} />
      </Section>
      <Section title="Identity">
        <DriveIdentity drive={drive} />
      </Section>
    </Page>
  )
}

function Volumes({ drive }: { drive: ListedDrive }) {
  if (drive.volumes.length === 0) return <p>No partition and no file system that this system knows.</p>
  return (
    <div className={styles.scroll}>
      <table className={styles.table}>
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col">File system</th>
            <th scope="col">Size</th>
            <th scope="col">In use</th>
            <th scope="col">Mounted at</th>
          </tr>
        </thead>
        <tbody>
          {drive.volumes.map((volume) => (
            <tr key={volume.device}>
              <th scope="row">
                {volume.label === null || displayName(volume.label) === '' ? (
                  'no name'
                ) : (
                  <span className={styles.name}>{displayName(volume.label)}</span>
                )}
                <code className={styles.device}>{volume.device}</code>
              </th>
              <td>{volume.fileSystem ?? 'unknown'}</td>
              <td>{formatBytes(volume.sizeBytes)}</td>
              <td>{volume.usedBytes === null ? 'unknown' : formatBytes(volume.usedBytes)}</td>
              <td>
                {volume.mountpoints.length === 0 ? (
                  'not mounted'
                ) : (
                  <code>{volume.mountpoints.join(', ')}</code>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function Verdict({ drive }: { drive: ListedDrive }) {
  if (drive.reasons.length === 0) {
    return (
      <p>
        <strong className={styles.yes}>Yes.</strong> Open a disk and choose “Write to a stick”. Everything on
        this drive is lost then.
      </p>
    )
  }
  const afterUnmount = drive.reasons.every((reason) => reason === 'mounted')
  const byExpert = drive.reasons.every((reason) => ['mounted', 'not-removable', 'large'].includes(reason))
  return (
    <div className={styles.reasons}>
      <p>
        <strong>
          {afterUnmount ? 'Only after it is unmounted.' : byExpert ? 'Only by the expert setting.' : 'No.'}
        </strong>
      </p>
      <ul className={styles.reasonList}>
        {drive.reasons.map((reason) => (
          <li key={reason}>
            {describeReason(reason)}
            {reason === 'system' && <code> {drive.systemPaths.join(', ')}</code>}
            {reason === 'in-use' && <code> {drive.holders.join(', ')}</code>}
          </li>
        ))}
      </ul>
      {byExpert && !afterUnmount && (
        <p>The sheet “Write to a stick” has it, and then asks for the name of the device as well.</p>
      )}
      {afterUnmount && <p>Slipway can unmount it before it writes, and asks first.</p>}
    </div>
  )
}

/** The page of a drive that was unplugged while it was looked at. */
export function DriveGone() {
  return (
    <EmptyPage title="This drive is gone">
      <p>It was unplugged, or another medium is in its place. Plug it in and it appears on the left.</p>
    </EmptyPage>
  )
}
