/** What the window shows: a noun's page, or the machine of a disk. `id` is the id of the image or disk, or a drive's key. */
export interface Place {
  kind: 'image' | 'disk' | 'preview' | 'drive'
  id: string
}
