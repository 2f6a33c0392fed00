/**
 * The words of a kernel's command line, taken apart as the kernel does it (Linux, lib/cmdline.c, `next_arg`): double
 * quotes hold a value with spaces together, or the whole word, and are no part of it.
 * @returns null when not every boot loader could hand them over. GRUB writes the command line anew from its own words:
 * one with spaces gets double quotes around it, and what is a quote or a backslash inside of one gets a backslash in
 * many of its versions (GRUB, grub-core/lib/cmdline.c), which the kernel would take for text. Extlinux alone passes on
 * what is written.
 */
export function kernelWords(text: string): string[] | null {
  if (!/^[\x20-\x7e]*$/.test(text) || /['\\]/.test(text)) return null
  if ((text.split('"').length - 1) % 2 === 1) return null
  const words = text.match(/(?:[^ "]|"[^"]*")+/g) ?? []
  if (!words.every((word) => /^(?:[^"]+|"[^"]+"|[^"=]+="[^"]*")$/.test(word))) return null
  return words.map((word) => word.replaceAll('"', ''))
}
