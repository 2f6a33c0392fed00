import { displayName } from '../../shared/drive'
import type { ListedDrive } from '../../shared/ipc/contract'
import { Facts } from './facts'

const buses: Record<string, string> = {
  usb: 'USB',
  mmc: 'Card slot',
  sata: 'SATA',
  nvme: 'NVMe',
  loop: 'Loop device',
}

/** How a drive is plugged in, in words. */
export function busWords(bus: string): string {
  return buses[bus] ?? (bus === '' ? 'unknown bus' : displayName(bus))
}

/** By what a drive is told from others, as far as it says: all that the helper compares before it writes. */
export function DriveIdentity({ drive }: { drive: ListedDrive }) {
  const code = (text: string) => (text === '' ? 'none reported' : <code>{displayName(text)}</code>)
  return (
    <Facts
      rows={[
        ['Serial number', code(drive.serial)],
        ['World wide name', drive.wwn === '' ? null : code(drive.wwn)],
        [
          'Plugged in',
          drive.port === '' ? (
            busWords(drive.bus)
          ) : (
            <>
              {busWords(drive.bus)}, {code(drive.port)}
            </>
          ),
        ],
        ['Known as', drive.byId.length === 0 ? null : code(drive.byId.join(', '))],
        [
          'Numbers',
          <>
            device {code(drive.majorMinor)}, medium {code(drive.diskSequence ?? '')}
          </>,
        ],
      ]}
    />
  )
}
