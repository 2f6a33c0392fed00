import { struct } from '../../disk/struct'

/** POSIX.1-2017, pax, "ustar Interchange Format" */
export const USTAR = struct('ustar header', [
  [0, 'name', 100],
  [100, 'mode', 8],
  [108, 'uid', 8],
  [116, 'gid', 8],
  [124, 'size', 12],
  [136, 'mtime', 12],
  [148, 'chksum', 8],
  [156, 'typeflag', 1],
  [157, 'linkname', 100],
  [257, 'magic', 6, '"ustar\\0", or "ustar " of GNU tar'],
  [263, 'version', 2],
  [265, 'uname', 32],
  [297, 'gname', 32],
  [329, 'devmajor', 8],
  [337, 'devminor', 8],
  [345, 'prefix', 155],
  [500, 'padding', 12],
])

/** GNU tar manual, "Basic Tar Format", struct oldgnu_header: in place of the prefix */
export const OLD_GNU = struct('oldgnu header', [
  [0, 'before', 345],
  [345, 'atime', 12],
  [357, 'ctime', 12],
  [369, 'offset', 12],
  [381, 'longnames', 4],
  [385, 'pad', 1],
  [386, 'sp', 96, 'four times offset and numbytes'],
  [482, 'isextended', 1],
  [483, 'realsize', 12],
  [495, 'padding', 17],
])

/** The same, struct sparse_header: follows while isextended is not zero */
export const OLD_GNU_SPARSE = struct('oldgnu sparse header', [
  [0, 'sp', 504, '21 times offset and numbytes'],
  [504, 'isextended', 1],
  [505, 'padding', 7],
])

/** struct sparse: two numbers of 12 digits */
export const SPARSE_ENTRY = 24

export const BLOCK = 512
