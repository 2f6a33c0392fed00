import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { z } from 'zod'

const boundsSchema = z.object({
  x: z.number().int(),
  y: z.number().int(),
  width: z.number().int(),
  height: z.number().int(),
})
export type Bounds = z.infer<typeof boundsSchema>

/**
 * The window's place when it was last closed.
 * @param path the file it is kept in
 * @param screens work areas of the screens that are there now
 * @returns null when there is none, it cannot be read, or no screen shows it any more
 */
export function readBounds(path: string, screens: readonly Bounds[]): Bounds | null {
  let bounds: Bounds
  try {
    bounds = boundsSchema.parse(JSON.parse(readFileSync(path, 'utf8')))
  } catch {
    return null
  }
  const visible = screens.some(
    (screen) =>
      bounds.x < screen.x + screen.width &&
      bounds.x + bounds.width > screen.x &&
      bounds.y >= screen.y &&
      bounds.y < screen.y + screen.height,
  )
  return visible ? bounds : null
}

/** Keeps the window's place. A failure to write loses nothing that matters and is ignored. */
export async function writeBounds(path: string, bounds: Bounds): Promise<void> {
  await writeFile(path, JSON.stringify(bounds)).catch(() => undefined)
}
