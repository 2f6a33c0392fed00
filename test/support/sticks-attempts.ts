import type { ListedDrive } from '../../src/main/drives/watch'
import type { RefusalReason } from '../../src/shared/drive'
import type { Stick } from './sticks'
import { DISK_ON_STICK, plugged, root } from './sticks-cast'
import type { RogueAttempt } from './sticks-guest'
import { GUEST_DISK } from './sticks-image'

const refusal = (...reasons: RefusalReason[]): object => ({
  code: 'drive-refused',
  facts: { reasons },
})

/** What is tried, as words for the terminal form, and as what a taken-over one would ask the helper for. */
export interface Attempt {
  what: string
  stick: Stick
  /** Everything is allowed that is not named here. */
  without?: 'unmount' | 'expert'
  /**
   * What the terminal form answers; null where it is not tried, as it has no such way, its list has said why already, or
   * another attempt shows that it hands on what the helper says.
   */
  cli: object | null
  helper: object
  disk?: string
  confirmation?: string
  /** What follows the device's name. */
  suffix?: string
  serial?: string
}

/** Everything that must be refused. */
export const attempts: Attempt[] = [
  ...[
    { what: 'that the machine runs from', stick: root, answer: refusal('system') },
    { what: 'that it swaps to', isListed: true, stick: plugged.swap, answer: refusal('system') },
    {
      what: 'that a device mapper device lies on',
      isListed: true,
      stick: plugged.mapped,
      answer: refusal('in-use'),
    },
    { what: 'that a loop device lies on', isListed: true, stick: plugged.looped, answer: refusal('in-use') },
    { what: 'that is write-protected', isListed: true, stick: plugged.locked, answer: refusal('read-only') },
    { what: 'that is too small', stick: plugged.small, answer: refusal('too-small') },
    {
      what: 'that is very large',
      stick: plugged.large,
      isListed: true,
      answer: refusal('large'),
      without: 'expert',
    },
    {
      what: 'that is built in',
      isListed: true,
      stick: plugged.internal,
      answer: refusal('not-removable'),
      without: 'expert',
    },
    { what: 'that is mounted', stick: plugged.mounted, answer: refusal('mounted'), without: 'unmount' },
    {
      what: 'that the disk itself lies on',
      stick: plugged.mounted,
      disk: DISK_ON_STICK,
      answer: refusal('system'),
    },
    {
      what: 'under the name that another stick has too',
      stick: plugged.target,
      confirmation: 'QEMU QEMU HARDDISK',
      answer: { code: 'confirmation-wrong' },
    },
  ].map(
    ({ answer, isListed, ...attempt }) =>
      ({ ...attempt, cli: isListed === true ? null : answer, helper: answer }) as Attempt,
  ),
  {
    what: 'that is mounted and in use, though it may be unmounted',
    stick: plugged.mounted,
    cli: { code: 'drive-busy' },
    helper: { code: 'drive-busy' },
  },
  {
    what: 'that another program holds',
    stick: plugged.firstTwin,
    cli: null,
    helper: { code: 'drive-busy' },
  },
  {
    what: 'that another program has open, though it does not hold it',
    stick: plugged.secondTwin,
    cli: { code: 'drive-busy' },
    helper: { code: 'drive-busy' },
  },
  {
    what: 'but a partition',
    stick: plugged.mounted,
    suffix: '1',
    cli: refusal('type'),
    helper: refusal('type'),
  },
  {
    what: 'that has another serial number than the confirmed one',
    stick: plugged.target,
    serial: 'OTHER',
    cli: null,
    helper: { code: 'drive-changed', facts: { field: 'serial' } },
  },
]

/** The words that have the terminal form try it. */
export function wordsOf(attempt: Attempt, drive: ListedDrive): string[] {
  const allowed = (['unmount', 'expert'] as const).filter((option) => option !== attempt.without)
  return [
    ...['flash', attempt.disk ?? GUEST_DISK, `${drive.device}${attempt.suffix ?? ''}`],
    ...['--confirm', attempt.confirmation ?? drive.nameToType],
    ...allowed.map((option) => `--${option}`),
  ]
}

/** The same, asked of the helper. */
export function rogueOf(attempt: Attempt, drive: ListedDrive): RogueAttempt {
  const { disk, confirmation, without } = attempt
  return {
    like: drive.device,
    drive: {
      device: `${drive.device}${attempt.suffix ?? ''}`,
      serial: attempt.serial ?? drive.serial,
    },
    ...(disk === undefined ? {} : { disk }),
    ...(confirmation === undefined ? {} : { confirmation }),
    ...(without === undefined ? {} : { [without]: false }),
  }
}
