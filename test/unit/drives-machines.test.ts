import { describe, expect, test } from 'vitest'
import { drivesOf } from '../../src/main/drives/linux/drives'
import type { MachineState } from '../../src/main/drives/linux/machine-state'
import { checkDrive, type Drive, type DriveAllowance, type RefusalReason } from '../../src/shared/drive'
import { GB, machine } from '../support/machine'
import { asked } from '../support/machines/asked'
import { configured } from '../support/machines/configured'
import { held } from '../support/machines/held'
import { many } from '../support/machines/many'
import { plain } from '../support/machines/plain'
import type { Row } from '../support/machines/row'
import { stacked } from '../support/machines/stacked'
import { system } from '../support/machines/system'

const everything: Partial<DriveAllowance> = { expert: true, unmount: true, loopTargets: true }
const none: DriveAllowance = { unmount: false, expert: false, loopTargets: false }

function judged(
  row: Row,
  allowance: DriveAllowance,
): Map<string, { drive: Drive; reasons: RefusalReason[] }> {
  const drives = drivesOf(machine(row.machine), { paths: [], files: [], ...row.needed })
  return new Map(
    drives.map((drive) => [drive.device, { drive, reasons: checkDrive(drive, 4 * GB, allowance) }] as const),
  )
}

describe.each([
  ['one drive beside the system', plain],
  ['the system on any kind of drive', system],
  ['what is stacked on drives', stacked],
  ['file systems without a device of their own', many],
  ['what else holds a drive', held],
  ['what was asked to be kept', asked],
  ['what the system was told to use', configured],
])('%s', (_, rows) => {
  test.each(rows)('$name', (row) => {
    const verdicts = judged(row, { ...none, ...row.allowance })
    for (const [device, reasons] of Object.entries(row.verdicts)) {
      expect(verdicts.get(device)?.reasons, device).toEqual(reasons)
    }
  })
})

/** What lies on what is told three times; on some machine one of the three is silent. */
test.each<[string, (state: MachineState) => void]>([
  ['lsblk', (state) => (state.lsblk = withoutNesting(state.lsblk))],
  ['the slaves', (state) => Object.values(state.blocks).forEach((facts) => (facts.slaves = []))],
  ['the holders', (state) => Object.values(state.blocks).forEach((facts) => (facts.holders = []))],
])('without the word of %s, stacked drives are refused as before', (_, silence) => {
  for (const row of stacked) {
    const state = machine(row.machine)
    silence(state)
    const found = drivesOf(state, { paths: [], files: [], ...row.needed })
    for (const [device, reasons] of Object.entries(row.verdicts)) {
      const drive = found.find((one) => one.device === device)
      const verdict = drive && checkDrive(drive, 4 * GB, { ...none, ...row.allowance })
      expect(verdict, `${row.name}: ${device}`).toEqual(reasons)
    }
  }
})

interface Nested {
  children?: Nested[]
}

/** lsblk as a list, in which every device stands by itself. */
function withoutNesting(json: string): string {
  const flatten = ({ children = [], ...node }: Nested): Nested[] => [node, ...children.flatMap(flatten)]
  const { blockdevices } = JSON.parse(json) as { blockdevices: Nested[] }
  return JSON.stringify({ blockdevices: blockdevices.flatMap(flatten) })
}

test('no allowance ever opens the way to a drive of the system', () => {
  let seen = 0
  for (const row of [...plain, ...system, ...stacked, ...many, ...held, ...asked, ...configured]) {
    for (const { drive, reasons } of judged(row, { ...none, ...everything }).values()) {
      if (drive.systemPaths.length === 0) continue
      seen += 1
      expect(reasons[0], `${row.name}: ${drive.device}`).toBe('system')
    }
  }
  expect(seen).toBeGreaterThan(60)
})
