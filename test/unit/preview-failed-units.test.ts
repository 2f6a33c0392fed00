import { expect, test } from 'vitest'
import { gatherFailedUnits } from '../../src/main/preview/failed-units'

function unitsOf(...looks: string[][]): string[] {
  const units = gatherFailedUnits()
  for (const rows of looks) units.take(rows)
  return units.names()
}

// As systemd 247 and 252 of Debian 11 and 12 write them.
test.each<[string[], string[]]>([
  [['apache2.service'], ['[FAILED] Failed to start apache2.service - The Apache HTTP Server.']],
  [['srv.mount'], ['[FAILED] Failed to mount srv.mount - /srv.']],
  [['dbus.socket'], ['[FAILED] Failed to listen on dbus.socket.']],
  [['srv.mount'], ['[DEPEND] Dependency failed for srv.mount - /srv.']],
  [
    ['dev-disk-by\\x2duuid-1.device'],
    ['[ TIME ] Timed out waiting for device dev-disk-by\\x2duuid-1.device - /dev/disk/by-uuid/1.'],
  ],
  [['slow.service'], ['[ TIME ] Timed out starting slow.service - Slow.']],
  // By its description alone, and its name in the row behind; a kernel message came in between.
  [
    ['apache2.service'],
    [
      '[FAILED] Failed to start The Apache HTTP Server.',
      '[   12.345678] random: crng init done',
      "See 'systemctl status apache2.service' for details.",
    ],
  ],
  // Shortened to the width of the console, where the name is lost.
  [
    ['keyboard-setup.service'],
    [
      '[FAILED] Failed to start keyboard-setup.s\ufffd\ufffdet the console keyboard layout.',
      "See 'systemctl status keyboard-setup.service' for details.",
    ],
  ],
  [['Local File Systems'], ['[DEPEND] Dependency failed for Local File Systems.']],
  [
    [],
    [
      '[  OK  ] Started apache2.service.',
      '[FAILED] Failed unmounting /srv.',
      'Failed to start with: nothing',
    ],
  ],
])('%j', (units, rows) => {
  expect(unitsOf(rows)).toEqual(units)
})

test('a row that is half written counts when it is whole, and once', () => {
  const half = '[FAILED] Failed to start apache2.service - The Apa'
  const whole = '[FAILED] Failed to start apache2.service - The Apache HTTP Server.'
  expect(unitsOf([half])).toEqual([])
  expect(unitsOf([half], [whole], [whole, 'a login:'])).toEqual(['apache2.service'])
  const units = gatherFailedUnits()
  expect([units.take([whole]), units.take([whole])]).toEqual([true, false])
})

test('the name comes with the row behind, however late', () => {
  const row = '[FAILED] Failed to start The Apache HTTP Server.'
  expect(unitsOf([row], [row, "See 'systemctl status apache2.service' for details."])).toEqual([
    'apache2.service',
  ])
})
