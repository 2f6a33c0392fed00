import type { ReactNode } from 'react'
import type { HostState } from '../../../shared/ipc/contract'
import type { BuildSettings, ChainLinkName, ImageFacts } from '../../../shared/image'
import { describeFailure, formatBytes } from '../../../shared/sentences'
import { Facts } from '../../ui/facts'
import { TextField } from '../../ui/field'
import { SegmentBar } from '../../ui/segment-bar'
import { argumentsError, DiskSettings } from './disk-settings'
import styles from './convert.module.css'

/** Bytes before the root partition: it begins at sector 2048 of 512 bytes. */
const BEFORE_PARTITION = 2048 * 512

export interface LinkPanelProps {
  name: ChainLinkName
  facts: ImageFacts
  settings: BuildSettings
  onChange: (settings: BuildSettings) => void
  /** Bytes that a disk of this image needs at least, and gets when nobody chooses. */
  neededBytes: number
  defaultBytes: number
  host: HostState | undefined
}

/** The chosen link: what the image has, what Slipway adds, and the settings that belong to it. */
export function LinkPanel(props: LinkPanelProps) {
  switch (props.name) {
    case 'disk':
      return <DiskPanel {...props} />
    case 'partition':
      return <PartitionPanel {...props} />
    case 'bootloader':
      return <BootLoaderPanel {...props} />
    case 'kernel':
      return <KernelPanel {...props} />
    case 'init':
      return <InitPanel {...props} />
    case 'applications':
      return <ApplicationsPanel {...props} />
  }
}

function TwoSides({ image, slipway }: { image: ReactNode; slipway: ReactNode }) {
  return (
    <div className={styles.sides}>
      <section>
        <h2 className={styles.sideTitle}>In the image</h2>
        {image}
      </section>
      <section>
        <h2 className={styles.sideTitle}>Slipway adds</h2>
        {slipway}
      </section>
    </div>
  )
}

function Missing({
  code,
  image,
}: {
  code: 'kernel-missing' | 'initramfs-missing' | 'init-missing'
  image: string
}) {
  const text = describeFailure({ code, facts: { image } })
  return (
    <div className={styles.missing}>
      <p className={styles.strong}>{text.happened}</p>
      <p>{text.remedy}</p>
    </div>
  )
}

function DiskPanel({ facts, settings, onChange, neededBytes, defaultBytes, host }: LinkPanelProps) {
  const size = settings.sizeBytes ?? defaultBytes
  return (
    <>
      <TwoSides
        image={
          <p>{formatBytes(facts.sizeBytes)} of files and no disk: an image is only the content of one.</p>
        }
        slipway={
          <p>A raw disk file of {formatBytes(size)}. Empty parts of it take no room on this computer.</p>
        }
      />
      <DiskSettings
        settings={settings}
        onChange={onChange}
        neededBytes={neededBytes}
        defaultBytes={defaultBytes}
        host={host}
      />
    </>
  )
}

function PartitionPanel({ settings, defaultBytes }: LinkPanelProps) {
  const size = settings.sizeBytes ?? defaultBytes
  return (
    <>
      <TwoSides
        image={<p>No partition.</p>}
        slipway={
          settings.engine === 'kernel' ? (
            <p>
              An MBR partition table with one Linux partition, marked active, from sector 2048 to the end. In
              it an ext4 file system with the files of the image.
            </p>
          ) : (
            <p>
              An MBR partition table with a Linux partition, marked active, whose ext4 file system holds the
              files of the image, and a small EFI partition.
            </p>
          )
        }
      />
      {settings.engine === 'kernel' && (
        <SegmentBar
          label="Layout of the new disk"
          segments={[
            { id: 'start', name: 'MBR', sizeBytes: BEFORE_PARTITION, isFree: true },
            { id: 'root', name: 'Linux root, ext4', sizeBytes: size - BEFORE_PARTITION, isFree: false },
          ]}
        />
      )}
    </>
  )
}

function BootLoaderPanel({ settings, host }: LinkPanelProps) {
  const ability = host?.engines[settings.engine]
  return (
    <TwoSides
      image={<p>None that a computer could start from.</p>}
      slipway={
        ability?.firmware.length === 0 ? (
          <p>
            Nothing: this computer has no boot loader to put on the disk. Missing:{' '}
            {ability.missing.join(', ')}. {ability.remedy}
          </p>
        ) : (
          <>
            {ability?.firmware.includes('bios') !== false && (
              <p>EXTLINUX for BIOS firmware, started by the boot code of the MBR.</p>
            )}
            {ability?.firmware.includes('uefi') === true ? (
              <p>GRUB for UEFI firmware, on a small partition of its own.</p>
            ) : (
              <p>On UEFI it boots only with the compatibility mode (CSM) on.</p>
            )}
          </>
        )
      }
    />
  )
}

function KernelPanel({ facts, settings, onChange }: LinkPanelProps) {
  return (
    <>
      <TwoSides
        image={
          <>
            {facts.kernel === null && <Missing code="kernel-missing" image={facts.name} />}
            {facts.kernel !== null && facts.initramfs === null && (
              <Missing code="initramfs-missing" image={facts.name} />
            )}
            {facts.kernel !== null && (
              <Facts
                rows={[
                  ['Version', facts.kernel.version],
                  ['Kernel', <code key="kernel">{facts.kernel.path}</code>],
                  [
                    'Initial RAM disk',
                    facts.initramfs === null ? 'none' : <code key="initrd">{facts.initramfs.path}</code>,
                  ],
                ]}
              />
            )}
          </>
        }
        slipway={
          facts.kernel === null ? (
            <p>No kernel yet: it must come with the image.</p>
          ) : (
            <p>A boot entry that points at them. Nothing of the kernel is changed.</p>
          )
        }
      />
      {facts.kernel !== null && (
        <div className={styles.setting}>
          <TextField
            label="More words for the kernel’s command line"
            value={settings.kernelArguments}
            onChange={(kernelArguments) => onChange({ ...settings, kernelArguments })}
            description={argumentsHint(settings)}
          />
        </div>
      )}
    </>
  )
}

function argumentsHint(settings: BuildSettings): string {
  return (
    argumentsError(settings) ??
    'Empty for most machines. For a serial console: console=tty0 console=ttyS0. The last console is the main one.'
  )
}

const initNames: Record<NonNullable<ImageFacts['init']>['kind'], string> = {
  systemd: 'systemd',
  openrc: 'OpenRC',
  sysvinit: 'sysvinit',
  busybox: 'BusyBox init',
  unknown: 'unknown kind',
}

const logins: Record<ImageFacts['rootLogin'], string> = {
  'no-password': 'root logs in without a password',
  password: 'root logs in with its password',
  locked: 'root is locked: only other users can log in',
  unknown: 'not known: the image has no /etc/shadow',
}

function InitPanel({ facts }: LinkPanelProps) {
  return (
    <TwoSides
      image={
        <>
          {facts.init === null && <Missing code="init-missing" image={facts.name} />}
          <Facts
            rows={[
              ['Init', facts.init === null ? null : initNames[facts.init.kind]],
              ['Program', facts.init === null ? null : <code>{facts.init.path}</code>],
              ['Login', logins[facts.rootLogin]],
            ]}
          />
        </>
      }
      slipway={
        <p>
          What a machine has and a container has not: its host name, its table of file systems, and a machine
          id of its own at the first boot. What the container left behind is taken out.
        </p>
      }
    />
  )
}

function ApplicationsPanel({ facts }: LinkPanelProps) {
  const { entrypoint, command, ports } = facts.applications
  const start = [...entrypoint, ...command].join(' ')
  return (
    <TwoSides
      image={
        <Facts
          rows={[
            ['System', facts.distribution?.prettyName ?? 'unknown distribution'],
            ['Start command', start === '' ? 'none' : <code>{start}</code>],
            ['Ports', ports.length === 0 ? 'none named' : ports.join(', ')],
          ]}
        />
      }
      slipway={
        <p>
          Nothing. Services that are enabled in the image start at boot. The start command belongs to the
          container and is not run.
        </p>
      }
    />
  )
}
