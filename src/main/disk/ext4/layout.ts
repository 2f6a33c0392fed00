import { struct } from '../struct'

/** The structures of ext4, with the kernel's names: Documentation/filesystems/ext4 and fs/ext4/ext4.h. */

export const BLOCK_SIZE = 4096
export const BLOCKS_PER_GROUP = 32768
export const INODE_SIZE = 256
/** Without the 64bit feature. */
export const DESCRIPTOR_SIZE = 32
export const DESCRIPTORS_PER_BLOCK = BLOCK_SIZE / DESCRIPTOR_SIZE

/** super.rst */
export const SUPERBLOCK = struct('ext4_super_block', [
  [0x0, 's_inodes_count', 'u32'],
  [0x4, 's_blocks_count_lo', 'u32'],
  [0x8, 's_r_blocks_count_lo', 'u32'],
  [0xc, 's_free_blocks_count_lo', 'u32'],
  [0x10, 's_free_inodes_count', 'u32'],
  [0x14, 's_first_data_block', 'u32'],
  [0x18, 's_log_block_size', 'u32', '2^(10 + this)'],
  [0x1c, 's_log_cluster_size', 'u32'],
  [0x20, 's_blocks_per_group', 'u32'],
  [0x24, 's_clusters_per_group', 'u32'],
  [0x28, 's_inodes_per_group', 'u32'],
  [0x2c, 's_mtime', 'u32'],
  [0x30, 's_wtime', 'u32'],
  [0x34, 's_mnt_count', 'u16'],
  [0x36, 's_max_mnt_count', 'u16', '0xffff: never check for it'],
  [0x38, 's_magic', 'u16', '0xEF53'],
  [0x3a, 's_state', 'u16', '1: cleanly unmounted'],
  [0x3c, 's_errors', 'u16', '1: continue'],
  [0x3e, 's_minor_rev_level', 'u16'],
  [0x40, 's_lastcheck', 'u32'],
  [0x44, 's_checkinterval', 'u32'],
  [0x48, 's_creator_os', 'u32'],
  [0x4c, 's_rev_level', 'u32', '1: dynamic'],
  [0x50, 's_def_resuid', 'u16'],
  [0x52, 's_def_resgid', 'u16'],
  [0x54, 's_first_ino', 'u32'],
  [0x58, 's_inode_size', 'u16'],
  [0x5a, 's_block_group_nr', 'u16', 'the group of this copy'],
  [0x5c, 's_feature_compat', 'u32'],
  [0x60, 's_feature_incompat', 'u32'],
  [0x64, 's_feature_ro_compat', 'u32'],
  [0x68, 's_uuid', 16],
  [0x78, 's_volume_name', 16],
  [0x88, 's_last_mounted', 64],
  [0xc8, 's_algorithm_usage_bitmap', 'u32'],
  [0xcc, 's_prealloc_blocks', 'u8'],
  [0xcd, 's_prealloc_dir_blocks', 'u8'],
  [0xce, 's_reserved_gdt_blocks', 'u16'],
  [0xd0, 's_journal_uuid', 16],
  [0xe0, 's_journal_inum', 'u32'],
  [0xe4, 's_journal_dev', 'u32'],
  [0xe8, 's_last_orphan', 'u32'],
  [0xec, 's_hash_seed', 16],
  [0xfc, 's_def_hash_version', 'u8', '1: half MD4'],
  [0xfd, 's_jnl_backup_type', 'u8', '1: s_jnl_blocks holds the journal inode'],
  [0xfe, 's_desc_size', 'u16'],
  [0x100, 's_default_mount_opts', 'u32'],
  [0x104, 's_first_meta_bg', 'u32'],
  [0x108, 's_mkfs_time', 'u32'],
  [0x10c, 's_jnl_blocks', 68, 'i_block, i_size_high and i_size of the journal inode'],
  [0x150, 's_blocks_count_hi', 'u32'],
  [0x154, 's_r_blocks_count_hi', 'u32'],
  [0x158, 's_free_blocks_count_hi', 'u32'],
  [0x15c, 's_min_extra_isize', 'u16'],
  [0x15e, 's_want_extra_isize', 'u16'],
  [0x160, 's_flags', 'u32', '1: names are hashed as signed bytes'],
  [0x164, 's_raid_stride', 'u16'],
  [0x166, 's_mmp_interval', 'u16'],
  [0x168, 's_mmp_block', 'u64'],
  [0x170, 's_raid_stripe_width', 'u32'],
  [0x174, 's_log_groups_per_flex', 'u8'],
  [0x175, 's_checksum_type', 'u8', '1: crc32c'],
  [0x176, 's_reserved_pad', 'u16'],
  [0x178, 's_kbytes_written', 'u64'],
  [0x180, 's_snapshot', 20],
  [0x194, 's_error_count', 'u32'],
  [0x198, 's_first_and_last_error', 104],
  [0x200, 's_mount_opts', 64],
  [0x240, 's_usr_quota_inum', 'u32'],
  [0x244, 's_grp_quota_inum', 'u32'],
  [0x248, 's_overhead_blocks', 'u32'],
  [0x24c, 's_backup_bgs', 8],
  [0x254, 's_encrypt_algos', 4],
  [0x258, 's_encrypt_pw_salt', 16],
  [0x268, 's_lpf_ino', 'u32'],
  [0x26c, 's_prj_quota_inum', 'u32'],
  [0x270, 's_checksum_seed', 'u32'],
  [0x274, 's_reserved', 392],
  [0x3fc, 's_checksum', 'u32', 'crc32c over all before'],
])

/** group_descr.rst, the 32 bytes that are there without the 64bit feature */
export const GROUP_DESCRIPTOR = struct('ext4_group_desc', [
  [0x0, 'bg_block_bitmap_lo', 'u32'],
  [0x4, 'bg_inode_bitmap_lo', 'u32'],
  [0x8, 'bg_inode_table_lo', 'u32'],
  [0xc, 'bg_free_blocks_count_lo', 'u16'],
  [0xe, 'bg_free_inodes_count_lo', 'u16'],
  [0x10, 'bg_used_dirs_count_lo', 'u16'],
  [0x12, 'bg_flags', 'u16'],
  [0x14, 'bg_exclude_bitmap_lo', 'u32'],
  [0x18, 'bg_block_bitmap_csum_lo', 'u16'],
  [0x1a, 'bg_inode_bitmap_csum_lo', 'u16'],
  [0x1c, 'bg_itable_unused_lo', 'u16'],
  [0x1e, 'bg_checksum', 'u16'],
])

/** inodes.rst; l_i_… are the Linux names of osd2 */
export const INODE = struct('ext4_inode', [
  [0x0, 'i_mode', 'u16'],
  [0x2, 'i_uid', 'u16'],
  [0x4, 'i_size_lo', 'u32'],
  [0x8, 'i_atime', 'u32'],
  [0xc, 'i_ctime', 'u32'],
  [0x10, 'i_mtime', 'u32'],
  [0x14, 'i_dtime', 'u32'],
  [0x18, 'i_gid', 'u16'],
  [0x1a, 'i_links_count', 'u16'],
  [0x1c, 'i_blocks_lo', 'u32', 'units of 512 bytes'],
  [0x20, 'i_flags', 'u32'],
  [0x24, 'i_osd1', 'u32'],
  [0x28, 'i_block', 60],
  [0x64, 'i_generation', 'u32'],
  [0x68, 'i_file_acl_lo', 'u32'],
  [0x6c, 'i_size_high', 'u32'],
  [0x70, 'i_obso_faddr', 'u32'],
  [0x74, 'l_i_blocks_high', 'u16'],
  [0x76, 'l_i_file_acl_high', 'u16'],
  [0x78, 'l_i_uid_high', 'u16'],
  [0x7a, 'l_i_gid_high', 'u16'],
  [0x7c, 'l_i_checksum_lo', 'u16'],
  [0x7e, 'l_i_reserved', 'u16'],
  [0x80, 'i_extra_isize', 'u16'],
  [0x82, 'i_checksum_hi', 'u16'],
  [0x84, 'i_ctime_extra', 'u32', 'nanoseconds << 2 | bits 32 and 33 of the seconds'],
  [0x88, 'i_mtime_extra', 'u32'],
  [0x8c, 'i_atime_extra', 'u32'],
  [0x90, 'i_crtime', 'u32'],
  [0x94, 'i_crtime_extra', 'u32'],
  [0x98, 'i_version_hi', 'u32'],
  [0x9c, 'i_projid', 'u32'],
])

/** ifork.rst, section "Extent Tree" */
export const EXTENT_HEADER = struct('ext4_extent_header', [
  [0x0, 'eh_magic', 'u16', '0xF30A'],
  [0x2, 'eh_entries', 'u16'],
  [0x4, 'eh_max', 'u16'],
  [0x6, 'eh_depth', 'u16'],
  [0x8, 'eh_generation', 'u32'],
])
export const EXTENT_INDEX = struct('ext4_extent_idx', [
  [0x0, 'ei_block', 'u32'],
  [0x4, 'ei_leaf_lo', 'u32'],
  [0x8, 'ei_leaf_hi', 'u16'],
  [0xa, 'ei_unused', 'u16'],
])
export const EXTENT = struct('ext4_extent', [
  [0x0, 'ee_block', 'u32'],
  [0x4, 'ee_len', 'u16'],
  [0x6, 'ee_start_hi', 'u16'],
  [0x8, 'ee_start_lo', 'u32'],
])
export const EXTENT_MAGIC = 0xf30a
/** Blocks of one extent at most: above it, an extent is "unwritten". */
export const EXTENT_BLOCKS = 32768

/** attributes.rst */
export const XATTR_HEADER = struct('ext4_xattr_header', [
  [0x0, 'h_magic', 'u32', '0xEA020000'],
  [0x4, 'h_refcount', 'u32'],
  [0x8, 'h_blocks', 'u32'],
  [0xc, 'h_hash', 'u32'],
  [0x10, 'h_checksum', 'u32'],
  [0x14, 'h_reserved', 12],
])
export const XATTR_ENTRY = struct('ext4_xattr_entry', [
  [0x0, 'e_name_len', 'u8'],
  [0x1, 'e_name_index', 'u8'],
  [0x2, 'e_value_offs', 'u16'],
  [0x4, 'e_value_inum', 'u32'],
  [0x8, 'e_value_size', 'u32'],
  [0xc, 'e_hash', 'u32'],
])
export const XATTR_MAGIC = 0xea020000

/** directory.rst, section "Hash Tree Directories", after the entries "." and ".." */
export const DX_ROOT_INFO = struct('dx_root_info', [
  [0x0, 'reserved_zero', 'u32'],
  [0x4, 'hash_version', 'u8'],
  [0x5, 'info_length', 'u8'],
  [0x6, 'indirect_levels', 'u8'],
  [0x7, 'unused_flags', 'u8'],
])

/** journal.rst; the journal alone is big-endian */
export const JOURNAL_SUPERBLOCK = struct(
  'journal_superblock_s',
  [
    [0x0, 'h_magic', 'u32', '0xC03B3998'],
    [0x4, 'h_blocktype', 'u32', '4: superblock, version 2'],
    [0x8, 'h_sequence', 'u32'],
    [0xc, 's_blocksize', 'u32'],
    [0x10, 's_maxlen', 'u32', 'blocks'],
    [0x14, 's_first', 'u32'],
    [0x18, 's_sequence', 'u32'],
    [0x1c, 's_start', 'u32', '0: nothing to replay'],
    [0x20, 's_errno', 'u32'],
    [0x24, 's_feature_compat', 'u32'],
    [0x28, 's_feature_incompat', 'u32'],
    [0x2c, 's_feature_ro_compat', 'u32'],
    [0x30, 's_uuid', 16],
    [0x40, 's_nr_users', 'u32'],
  ],
  'big',
)

/** has_journal, ext_attr, dir_index */
export const FEATURE_COMPAT = 0x4 | 0x8 | 0x20
export const FEATURE_COMPAT_HAS_JOURNAL = 0x4
/** filetype, extents, flex_bg: no 64bit, which extlinux cannot read */
export const FEATURE_INCOMPAT = 0x2 | 0x40 | 0x200
/** sparse_super, large_file, huge_file, dir_nlink, extra_isize, metadata_csum: nothing that an old GRUB refuses */
export const FEATURE_RO_COMPAT = 0x1 | 0x2 | 0x8 | 0x20 | 0x40 | 0x400

export const LOG_GROUPS_PER_FLEX = 4

export const BG_INODE_UNINIT = 0x1
export const BG_BLOCK_UNINIT = 0x2
export const BG_INODE_ZEROED = 0x4

export const INODE_FLAG_IMMUTABLE = 0x10
export const INODE_FLAG_INDEX = 0x1000
export const INODE_FLAG_EXTENTS = 0x80000

export const ROOT_INODE = 2
export const JOURNAL_INODE = 8
export const LOST_AND_FOUND_INODE = 11

/** i_mode, the file type's part */
export const S_IFIFO = 0x1000
export const S_IFCHR = 0x2000
export const S_IFDIR = 0x4000
export const S_IFBLK = 0x6000
export const S_IFREG = 0x8000
export const S_IFLNK = 0xa000
export const S_IFSOCK = 0xc000
export const S_IFMT = 0xf000
