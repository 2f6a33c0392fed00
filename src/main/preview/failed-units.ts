/**
 * What systemd says on the console of a unit that failed, that depends on one, or that took too long (src/core:
 * job.c, mount.c, swap.c, socket.c, automount.c, device.c). Jobs that stop units are left out: they are no part of a boot.
 */
const failure =
  /^\[(?:FAILED| TIME |DEPEND)\] (?:Failed to (?:start|mount|listen on|activate swap|set up automount)|Timed out (?:starting|mounting|activating swap|waiting for device)|Dependency failed for) (.+)$/
/** Comes right after a failure, with the unit's whole name where the row before it may be cut or has its description alone. */
const hint = /See ['"`]systemctl status ([^'"]+)['"] for details/
/** A unit's name (systemd.unit(5)) at the start of a text, whole. */
const unitName =
  /^(\S+\.(?:service|socket|target|device|mount|automount|swap|timer|path|slice|scope))(?: - |\.?$)/
/** Rows between a failure and its hint: the kernel may speak in between. */
const HINT_DISTANCE = 3

/** Gathers the units that failed from rows that are looked at again and again. */
export interface FailedUnits {
  /**
   * Takes the rows of a console.
   * @returns whether there was a failure that was not known
   */
  take(rows: readonly string[]): boolean
  /** The units as they are called, or by their description where the console does not tell the name. */
  names(): string[]
  clear(): void
}

/** Starts gathering. */
export function gatherFailedUnits(): FailedUnits {
  // By the text of the row, because its hint may come a moment later.
  const known = new Map<string, string>()
  return {
    take(rows) {
      const before = known.size
      const lastRow = rows.findLastIndex((row) => row.trim() !== '')
      for (const [index, row] of rows.entries()) {
        const text = failure.exec(row.trim())?.[1]
        // systemd ends each of them with a full stop; the last row may be half written.
        if (text === undefined || (index === lastRow && !text.endsWith('.'))) continue
        const name =
          unitName.exec(text)?.[1] ??
          rows
            .slice(index + 1, index + 1 + HINT_DISTANCE)
            .map((next) => hint.exec(next)?.[1])
            .find((unit) => unit !== undefined)
        if (name !== undefined) known.set(text, name)
        else if (!known.has(text)) known.set(text, text.replace(/\.$/, ''))
      }
      return known.size > before
    },
    names: () => [...new Set(known.values())],
    clear: () => {
      known.clear()
    },
  }
}
