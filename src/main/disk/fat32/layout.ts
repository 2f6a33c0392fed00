import { struct } from '../struct'

/** Microsoft Extensible Firmware Initiative FAT32 File System Specification 1.03, section "Boot Sector and BPB" */
export const BOOT_SECTOR = struct('fat32 boot sector', [
  [0, 'BS_jmpBoot', 3],
  [3, 'BS_OEMName', 8],
  [11, 'BPB_BytsPerSec', 'u16'],
  [13, 'BPB_SecPerClus', 'u8'],
  [14, 'BPB_RsvdSecCnt', 'u16'],
  [16, 'BPB_NumFATs', 'u8'],
  [17, 'BPB_RootEntCnt', 'u16'],
  [19, 'BPB_TotSec16', 'u16'],
  [21, 'BPB_Media', 'u8'],
  [22, 'BPB_FATSz16', 'u16'],
  [24, 'BPB_SecPerTrk', 'u16'],
  [26, 'BPB_NumHeads', 'u16'],
  [28, 'BPB_HiddSec', 'u32', 'sectors before the partition'],
  [32, 'BPB_TotSec32', 'u32'],
  [36, 'BPB_FATSz32', 'u32', 'sectors of one FAT'],
  [40, 'BPB_ExtFlags', 'u16'],
  [42, 'BPB_FSVer', 'u16'],
  [44, 'BPB_RootClus', 'u32'],
  [48, 'BPB_FSInfo', 'u16'],
  [50, 'BPB_BkBootSec', 'u16'],
  [52, 'BPB_Reserved', 12],
  [64, 'BS_DrvNum', 'u8'],
  [65, 'BS_Reserved1', 'u8'],
  [66, 'BS_BootSig', 'u8', '0x29: the next three are there'],
  [67, 'BS_VolID', 'u32'],
  [71, 'BS_VolLab', 11],
  [82, 'BS_FilSysType', 8],
  [90, 'BootCode', 420],
  [510, 'Signature_word', 'u16', '0xAA55'],
])

/** The same, section "FAT32 FSInfo Sector Structure" */
export const FS_INFO = struct('fat32 fsinfo', [
  [0, 'FSI_LeadSig', 'u32', '0x41615252'],
  [4, 'FSI_Reserved1', 480],
  [484, 'FSI_StrucSig', 'u32', '0x61417272'],
  [488, 'FSI_Free_Count', 'u32'],
  [492, 'FSI_Nxt_Free', 'u32'],
  [496, 'FSI_Reserved2', 12],
  [508, 'FSI_TrailSig', 'u32', '0xAA550000'],
])

/** The same, section "FAT Directory Structure" */
export const DIR_ENTRY = struct('fat directory entry', [
  [0, 'DIR_Name', 11],
  [11, 'DIR_Attr', 'u8'],
  [12, 'DIR_NTRes', 'u8'],
  [13, 'DIR_CrtTimeTenth', 'u8'],
  [14, 'DIR_CrtTime', 'u16'],
  [16, 'DIR_CrtDate', 'u16'],
  [18, 'DIR_LstAccDate', 'u16'],
  [20, 'DIR_FstClusHI', 'u16'],
  [22, 'DIR_WrtTime', 'u16'],
  [24, 'DIR_WrtDate', 'u16'],
  [26, 'DIR_FstClusLO', 'u16'],
  [28, 'DIR_FileSize', 'u32'],
])

/** The same, section "Long Directory Entries" */
export const LONG_ENTRY = struct('fat long name entry', [
  [0, 'LDIR_Ord', 'u8', '0x40: the last, which comes first'],
  [1, 'LDIR_Name1', 10],
  [11, 'LDIR_Attr', 'u8'],
  [12, 'LDIR_Type', 'u8'],
  [13, 'LDIR_Chksum', 'u8'],
  [14, 'LDIR_Name2', 12],
  [26, 'LDIR_FstClusLO', 'u16'],
  [28, 'LDIR_Name3', 4],
])

export const ATTR_VOLUME_ID = 0x08
export const ATTR_DIRECTORY = 0x10
export const ATTR_ARCHIVE = 0x20
export const ATTR_LONG_NAME = 0x0f
/** "EOC": the last cluster of a file */
export const END_OF_CHAIN = 0x0fffffff
/** Below this many clusters a volume is FAT16, whatever it calls itself. */
export const MINIMUM_CLUSTERS = 65525
