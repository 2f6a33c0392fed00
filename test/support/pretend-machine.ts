import type { Machine, MachineEnding } from '../../src/main/preview/machine'
import { ok } from '../../src/shared/failure'

/**
 * A machine without QEMU that shows these rows until it is stopped.
 * @param changes what else it is
 */
export function pretendMachine(rows: string[], changes: Partial<Machine> = {}): Machine {
  let end: (ending: MachineEnding) => void = () => undefined
  const ended = new Promise<MachineEnding>((resolve) => (end = resolve))
  const machine: Partial<Machine> = {
    accelerator: 'tcg',
    fallback: null,
    forwards: [],
    onSerial: () => () => undefined,
    onRestart: () => () => undefined,
    onReset: () => () => undefined,
    readScreenText: () => Promise.resolve(ok({ rows, memoryRows: rows, isPicture: false })),
    screenshot: () => Promise.resolve(ok(Buffer.from('PNG'))),
    stop() {
      end({ reason: 'stopped' })
      return ended
    },
    ended,
    ...changes,
  }
  return machine as Machine
}
