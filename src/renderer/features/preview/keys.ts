/** A key of the machine that a window or desktop would keep for itself: its name, X11's keysym (keysymdef.h) and the code of its place (UI Events). */
export interface MachineKey {
  keysym: number
  code: string
}

const CONTROL: MachineKey = { keysym: 0xffe3, code: 'ControlLeft' }
const ALT: MachineKey = { keysym: 0xffe9, code: 'AltLeft' }
const DELETE: MachineKey = { keysym: 0xffff, code: 'Delete' }
/** X11 numbers F1 to F12 one after the other. */
const F1 = 0xffbe
const functionKey = (number: number): MachineKey => ({ keysym: F1 + number - 1, code: `F${number}` })

/** Keys that are pressed together for the machine, in the order of a menu. */
export const keyCombinations: readonly { id: string; title: string; keys: readonly MachineKey[] }[] = [
  { id: 'reboot', title: 'Ctrl+Alt+Delete', keys: [CONTROL, ALT, DELETE] },
  ...Array.from({ length: 6 }, (_, index) => ({
    id: `console-${index + 1}`,
    title: `Ctrl+Alt+F${index + 1}`,
    keys: [CONTROL, ALT, functionKey(index + 1)],
  })),
  ...Array.from({ length: 12 }, (_, index) => ({
    id: `f${index + 1}`,
    title: `F${index + 1}`,
    keys: [functionKey(index + 1)],
  })),
]

/** Keys that may be down when the keyboard is given back, and that the machine must see go up. */
export const leavingKeys: readonly MachineKey[] = [CONTROL, ALT]

/** Whether keys give the keyboard back to the window: Ctrl, Alt and G, which are QEMU's own for it. */
export function isLeavingKey(event: Pick<KeyboardEvent, 'ctrlKey' | 'altKey' | 'code'>): boolean {
  return event.ctrlKey && event.altKey && event.code === 'KeyG'
}
