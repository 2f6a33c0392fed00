/**
 * Writes a device number the way the kernel does, `8:17`.
 * @param number st_dev or st_rdev of stat(2), in glibc's encoding (gnu_dev_major in sys/sysmacros.h)
 */
export function deviceNumber(number: bigint): string {
  const major = ((number >> 8n) & 0xfffn) | ((number >> 32n) & 0xfffff000n)
  const minor = (number & 0xffn) | ((number >> 12n) & 0xffffff00n)
  return `${String(major)}:${String(minor)}`
}
