import { diskFormats, type DiskFormat } from '../../../shared/disk'
import type { HostState } from '../../../shared/ipc/contract'
import { buildSettingsSchema, type BuildSettings } from '../../../shared/image'
import { formatBytes } from '../../../shared/amounts'
import { describeFailure } from '../../../shared/sentences'
import { Choices, NumberField, type Choice } from '../../ui/field'
import styles from './convert.module.css'

/** Bytes of a gigabyte as drives and this window count it. */
const GIGABYTE = 1_000_000_000

/** Why the chosen size cannot be used, or null. */
export function sizeError(settings: BuildSettings, neededBytes: number): string | null {
  if (settings.sizeBytes === null || settings.sizeBytes >= neededBytes) return null
  return describeFailure({
    code: 'size-too-small',
    facts: { sizeBytes: settings.sizeBytes, neededBytes },
  }).happened
}

/** Why the words for the kernel cannot be used, or null. The contract takes what all boot loaders hand over alike. */
export function argumentsError({ kernelArguments }: BuildSettings): string | null {
  if (buildSettingsSchema.shape.kernelArguments.safeParse(kernelArguments).success) return null
  return "The words for the kernel must be plain letters, digits and signs without \\ and ', 1000 at most, with double quotes only around a whole value."
}

/** The settings of the link Disk: its size, how it is built, its partition table and the kind of its file. */
export function DiskSettings(props: {
  settings: BuildSettings
  onChange: (settings: BuildSettings) => void
  neededBytes: number
  defaultBytes: number
  host: HostState | undefined
}) {
  const { settings, onChange, host } = props
  return (
    <div className={styles.settings}>
      <div className={styles.size}>
        <Choices
          label="Size"
          value={settings.sizeBytes === null ? 'automatic' : 'chosen'}
          onChange={(value) =>
            onChange({
              ...settings,
              sizeBytes: value === 'automatic' ? null : Math.ceil(props.defaultBytes / GIGABYTE) * GIGABYTE,
            })
          }
          choices={[
            {
              value: 'automatic',
              title: `${formatBytes(props.defaultBytes)}, chosen by Slipway`,
              detail: 'The content, and room to work with.',
            },
            {
              value: 'chosen',
              title: 'Another size',
              detail: `At least ${formatBytes(props.neededBytes, 'up')}.`,
            },
          ]}
        />
        {settings.sizeBytes !== null && (
          <div className={styles.indented}>
            <NumberField
              label="Size of the disk in GB"
              unit="GB"
              value={settings.sizeBytes / GIGABYTE}
              minimum={0.01}
              step={0.01}
              onChange={(value) => {
                if (Number.isFinite(value)) onChange({ ...settings, sizeBytes: Math.round(value * GIGABYTE) })
              }}
              error={sizeError(settings, props.neededBytes)}
            />
          </div>
        )}
      </div>
      <Choices
        label="How it is built"
        value={settings.engine}
        onChange={(value) =>
          // The kernel engine makes no other partition table.
          onChange(
            value === 'direct'
              ? { ...settings, engine: 'direct' }
              : { ...settings, engine: 'kernel', table: 'mbr' },
          )
        }
        choices={engineChoices(host)}
      />
      <Choices
        label="Partition table"
        value={settings.table}
        onChange={(value) => onChange({ ...settings, table: value === 'gpt' ? 'gpt' : 'mbr' })}
        choices={[
          { value: 'mbr', title: 'MBR', detail: 'Every computer starts from it. Up to 2.2 TB.' },
          {
            value: 'gpt',
            title: 'GPT',
            detail:
              settings.engine === 'kernel'
                ? 'Only on disks that Slipway writes by itself.'
                : 'For disks of any size. A few old BIOSes do not start from it.',
            isDisabled: settings.engine === 'kernel',
          },
        ]}
      />
      <Choices
        label="Kind of file"
        value={settings.format}
        onChange={(value) =>
          onChange({ ...settings, format: diskFormats.find((format) => format === value) ?? 'raw' })
        }
        choices={formatChoices}
      />
    </div>
  )
}

const formatDetails: Record<DiskFormat, { title: string; detail: string }> = {
  raw: { title: 'Raw disk (.img)', detail: 'For sticks and for every virtual machine.' },
  qcow2: { title: 'QEMU (.qcow2)', detail: 'For QEMU, libvirt and Proxmox. Made by qemu-img.' },
  vmdk: { title: 'VMware (.vmdk)', detail: 'Made by qemu-img.' },
  vdi: { title: 'VirtualBox (.vdi)', detail: 'Made by qemu-img.' },
  vhdx: { title: 'Hyper-V (.vhdx)', detail: 'Made by qemu-img.' },
  zst: {
    title: 'Compressed by Zstandard (.zst)',
    detail: 'Small and quick. To be unpacked before a preview.',
  },
  xz: { title: 'Compressed by xz (.xz)', detail: 'The smallest, and slow. To be unpacked before a preview.' },
  gz: {
    title: 'Compressed by gzip (.gz)',
    detail: 'Every system unpacks it. To be unpacked before a preview.',
  },
}

const formatChoices: Choice[] = (['raw', 'qcow2', 'vmdk', 'vdi', 'vhdx', 'zst', 'xz', 'gz'] as const).map(
  (format) => ({ value: format, ...formatDetails[format] }),
)

function engineChoices(host: HostState | undefined): Choice[] {
  const detail = (engine: 'direct' | 'kernel', words: string): string => {
    const ability = host?.engines[engine]
    return ability?.firmware.length === 0
      ? `Missing here: ${ability.missing.join(', ')}. ${ability.remedy}`
      : words
  }
  const password = host?.elevation.needed === true ? ' Asks for an administrator’s password.' : ''
  return [
    {
      value: 'direct',
      title: 'By Slipway itself',
      detail: detail('direct', 'Writes the file system in one pass. Needs no password and no mount.'),
    },
    {
      value: 'kernel',
      title: 'By this system’s kernel',
      detail: detail('kernel', `The HOWTO’s own way: mkfs.ext4, mount and EXTLINUX.${password}`),
    },
  ]
}
