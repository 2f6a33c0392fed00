import { expect, test } from 'vitest'
import { watchBoot } from '../../src/main/preview/boot-watch'
import { startMachine, type Machine } from '../../src/main/preview/machine'
import { askPort } from '../../src/main/preview/ports'

/** A disk with the HOWTO's Debian and the signed chain of boot loaders, made by whoever runs this test. */
const disk = process.env['SLIPWAY_TEST_HOWTO_DISK']

/** Types at the machine's keyboard and waits for the screen to show what is wanted; types it again when a slow machine missed a key. */
async function ask(machine: Machine, line: string, wanted: RegExp): Promise<string> {
  let text = ''
  for (let attempt = 0; attempt < 4; attempt++) {
    expect(await machine.typeText(`${line}\n`, new AbortController().signal)).toEqual({
      ok: true,
      value: null,
    })
    const until = Date.now() + 40_000
    while (Date.now() < until) {
      const rows = await machine.readScreenText()
      if (rows.ok) text = rows.value.rows.join('\n')
      if (wanted.test(text)) return text
      await new Promise((resolve) => setTimeout(resolve, 1000))
    }
  }
  throw new Error(`the screen never showed ${String(wanted)}:\n${text}`)
}

test.skipIf(disk === undefined)(
  "Secure Boot with Microsoft's keys starts the HOWTO's machine from a stick; keys, a web server through a port, and the power button",
  async () => {
    const { signal } = new AbortController()
    const started = await startMachine({
      diskPath: disk ?? '',
      firmware: 'secure-boot',
      attachment: 'usb',
      ports: [{ hostPort: 0, guestPort: 80 }],
      signal,
      log: () => undefined,
    })
    if (!started.ok) throw new Error(JSON.stringify(started.failure))
    const machine = started.value
    try {
      const verdict = await watchBoot(machine, { timeoutMilliseconds: 400_000, signal })
      expect(verdict).toMatchObject({ outcome: 'login', seenOn: 'screen', failedUnits: [] })
      await ask(machine, 'root', /root@[^#]*#/)
      // Both cases and signs that need Shift; the sum keeps the answer apart from the echo.
      const text = await ask(
        machine,
        'clear; dmesg | grep -Ei "secure boot (en|dis)abled"; cat /sys/kernel/security/lockdown; echo "{Typed}_$((40+2))"',
        /\{Typed\}_42/,
      )
      expect(text).toContain('Secure boot enabled')
      expect(text).toMatch(/\[(?:integrity|confidentiality)\]/)
      // The HOWTO's image brings no network set-up of its own.
      await ask(
        machine,
        "clear; mkdir -p /run/systemd/network; printf '[Match]\\nType=ether\\n[Network]\\nDHCP=ipv4\\n' > /run/systemd/network/a.network; systemctl start systemd-networkd; until networkctl | grep -q routable; do sleep 1; done; echo routable_$((40+2))",
        /routable_42/,
      )
      const [forward] = machine.forwards
      expect(forward?.guestPort).toBe(80)
      expect(await askPort(forward?.hostPort ?? 0)).toBe('http')
      await ask(machine, 'clear; systemctl stop apache2; echo stopped_$((40+2))', /stopped_42/)
      expect(await askPort(forward?.hostPort ?? 0)).toBeNull()
      await machine.powerDown()
      expect(await machine.ended).toEqual({ reason: 'powered-off' })
    } finally {
      await machine.stop()
    }
  },
)
