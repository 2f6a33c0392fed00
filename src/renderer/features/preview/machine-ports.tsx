import type { PreviewState } from '../../../shared/preview'
import { useCall } from '../../api/api'
import { Button } from '../../ui/button'
import { LinkIcon } from '../../ui/icons'
import { FailureNotice } from '../../ui/notice'
import styles from './preview.module.css'

/** The machine's ports that this computer reaches; a web server among them opens in the browser. */
export function MachinePorts({ state }: { state: PreviewState }) {
  const open = useCall('openPreviewPort')
  if (state.ports.length === 0) return null
  return (
    <>
      <ul className={styles.ports} aria-label="Ports of the machine">
        {state.ports.map(({ guestPort, hostPort, answer }) => (
          <li key={guestPort} className={styles.port}>
            {answer === 'http' || answer === 'https' ? (
              <Button
                look="quiet"
                size="small"
                icon={<LinkIcon />}
                onPress={() => void open.run({ previewId: state.previewId, guestPort })}
              >
                {`Open ${answer}://127.0.0.1:${hostPort} (port ${guestPort})`}
              </Button>
            ) : (
              <span>
                Port {guestPort}:{' '}
                {answer === null ? 'nothing answers yet' : `something answers at 127.0.0.1:${hostPort}`}
              </span>
            )}
          </li>
        ))}
      </ul>
      {open.failure !== null && <FailureNotice failure={open.failure} />}
    </>
  )
}
