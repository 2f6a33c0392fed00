import type { ReactNode } from 'react'
import type { HostState } from '../../../shared/ipc/contract'
import { lacksOf, type ChainLinkName, type Comfort } from '../../../shared/chain'
import { bootableArchitectures, type BuildSettings, type ImageFacts } from '../../../shared/image'
import { initOfRecipe, replacesInit } from '../../../shared/recipe'
import { formatBytes } from '../../../shared/amounts'
import { describeFailure } from '../../../shared/sentences'
import { Button, LinkButton } from '../../ui/button'
import { Facts } from '../../ui/facts'
import { TextField } from '../../ui/field'
import { Notice } from '../../ui/notice'
import { SegmentBar } from '../../ui/segment-bar'
import type { ChangeMachine, MachineFormProps } from '../machine/form'
import { rootLogins } from '../machine/login'
import {
  DeviceFirmware,
  InitSettings,
  RoomSettings,
  SerialConsole,
  StartCommand,
} from '../machine/machine-settings'
import type { MachineError } from '../machine/rules'
import { argumentsError, DiskSettings } from './disk-settings'
import { familyNames, type PreparationState } from './preparation'
import styles from './convert.module.css'

/** Bytes before the root partition: it begins at sector 2048 of 512 bytes. */
const BEFORE_PARTITION = 2048 * 512

export interface LinkPanelProps {
  name: ChainLinkName
  facts: ImageFacts
  settings: BuildSettings
  onChange: (settings: BuildSettings) => void
  onMachine: ChangeMachine
  /** What of the machine's settings cannot be used. */
  errors: readonly MachineError[]
  preparation: PreparationState
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

type MissingCode = 'kernel-missing' | 'initramfs-missing' | 'init-missing'

/** What the image lacks: what to do about it, unless Slipway adds it. */
function Missing({ code, props }: { code: MissingCode; props: LinkPanelProps }) {
  const image = props.facts.name
  if (props.settings.preparation !== null) return <p>{lacks[code]}</p>
  const text = describeFailure({ code, facts: { image } })
  const noRecipe =
    props.facts.file === null
      ? describeFailure({
          code: 'recipe-missing',
          facts: { image, distribution: props.facts.distribution?.prettyName ?? '' },
        }).happened
      : 'Slipway cannot prepare an image in a file: what installs packages is Docker. Load it there with docker load, or docker import for a root file system, and Slipway adds what is missing.'
  return (
    <div className={styles.missing}>
      <p className={styles.strong}>{text.happened}</p>
      <p>{noRecipe}</p>
      <p>{text.remedy}</p>
      {props.preparation.isOwn && (
        <div>
          <Button onPress={props.preparation.onShow}>Write a Dockerfile for it…</Button>
        </div>
      )}
    </div>
  )
}

const lacks: Record<MissingCode, string> = {
  'kernel-missing': 'No Linux kernel.',
  'initramfs-missing': 'A kernel without its initial RAM disk, which finds the root file system.',
  'init-missing': 'No init system, the first program that a kernel starts.',
}

/** What the preparation of the image adds to it, and the way to its Dockerfile. */
function Prepared({ what, preparation }: { what: string; preparation: PreparationState }) {
  const { proposal, isOwn, onShow } = preparation
  if (isOwn) {
    return (
      <p>
        What your Dockerfile adds. <LinkButton onPress={onShow}>Show the Dockerfile</LinkButton>
      </p>
    )
  }
  if (proposal === null) return <p>{what}</p>
  return (
    <>
      <p>
        {what} As packages of {familyNames[proposal.family]}: <code>{proposal.adds.join(' ')}</code>.{' '}
        <LinkButton onPress={onShow}>Show the Dockerfile</LinkButton>
      </p>
      {!proposal.proven && (
        <p className={styles.unproven}>
          <strong>Unproven:</strong> no machine was booted yet that was prepared like this.
        </p>
      )}
    </>
  )
}

function formOf({ facts, settings, onMachine, errors }: LinkPanelProps): MachineFormProps {
  return { facts, machine: settings.machine, onChange: onMachine, errors }
}

function DiskPanel(props: LinkPanelProps) {
  const { facts, settings, onChange, neededBytes, defaultBytes, host } = props
  const isSizedLater = settings.sizeBytes === null && settings.preparation !== null
  const size = settings.sizeBytes ?? defaultBytes
  return (
    <>
      <TwoSides
        image={
          <p>{formatBytes(facts.sizeBytes)} of files and no disk: an image is only the content of one.</p>
        }
        slipway={
          <p>
            A raw disk file
            {isSizedLater ? ' as large as the prepared image needs' : ` of ${formatBytes(size)}`}. Empty parts
            of it take no room on this computer.
          </p>
        }
      />
      <DiskSettings
        settings={settings}
        onChange={onChange}
        neededBytes={neededBytes}
        defaultBytes={defaultBytes}
        host={host}
      />
      <RoomSettings {...formOf(props)} />
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
              {settings.table === 'mbr' ? 'An MBR partition table' : 'A GPT partition table'} with a Linux
              partition, marked as the one to boot, whose ext4 file system holds the files of the image, and a
              small EFI partition.
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

function BootLoaderPanel({ facts, settings, host }: LinkPanelProps) {
  const ability = host?.engines[settings.engine]
  return (
    <TwoSides
      image={<p>None that a computer could start from.</p>}
      slipway={
        !bootableArchitectures.some((known) => known === facts.architecture) ? (
          <p>
            Nothing: the image is for {facts.architecture} computers, and Slipway has boot loaders for{' '}
            {bootableArchitectures.join(' and ')}.
          </p>
        ) : ability?.firmware.length === 0 ? (
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

function KernelPanel(props: LinkPanelProps) {
  const { facts, settings, onChange, preparation } = props
  const isAdded = settings.preparation !== null
  return (
    <>
      <TwoSides
        image={
          <>
            {facts.kernel === null && <Missing code="kernel-missing" props={props} />}
            {facts.kernel !== null && facts.initramfs === null && (
              <Missing code="initramfs-missing" props={props} />
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
          facts.kernel !== null && facts.initramfs !== null ? (
            <p>A boot entry that points at them. Nothing of the kernel is changed.</p>
          ) : isAdded ? (
            <Prepared
              what="The distribution’s own kernel with its initial RAM disk, and a boot entry."
              preparation={preparation}
            />
          ) : (
            <p>Nothing: a kernel must come with the image.</p>
          )
        }
      />
      {(facts.kernel !== null || isAdded) && (
        <div className={styles.settings}>
          <TextField
            label="More words for the kernel’s command line"
            value={settings.kernelArguments}
            onChange={(kernelArguments) => onChange({ ...settings, kernelArguments })}
            description="Empty for most machines. The last console that is named is the main one."
            error={argumentsError(settings)}
          />
          <div className={styles.size}>
            <SerialConsole {...formOf(props)} />
            <DeviceFirmware {...formOf(props)} />
          </div>
        </div>
      )}
    </>
  )
}

/** What people call each init. */
export const initNames: Record<NonNullable<ImageFacts['init']>['kind'], string> = {
  systemd: 'systemd',
  openrc: 'OpenRC',
  sysvinit: 'sysvinit',
  busybox: 'BusyBox init',
  unknown: 'unknown kind',
}

const networkNames: Record<NonNullable<ImageFacts['network']>, string> = {
  'systemd-networkd': 'set up by systemd-networkd',
  NetworkManager: 'set up by NetworkManager',
  ifupdown: 'set up by ifupdown (/etc/network/interfaces)',
}

function InitPanel(props: LinkPanelProps) {
  const { facts, settings, preparation } = props
  const isAdded = settings.preparation !== null && (facts.init === null || preparation.isNeeded)
  return (
    <>
      <TwoSides
        image={
          <>
            {facts.init === null && <Missing code="init-missing" props={props} />}
            <Facts
              rows={[
                ['Init', facts.init === null ? null : initNames[facts.init.kind]],
                ['Program', facts.init === null ? null : <code>{facts.init.path}</code>],
                ['Login', rootLogins[facts.rootLogin]],
                ['Users', usersText(facts)],
                ['Network', facts.network === null ? 'not set up' : networkNames[facts.network]],
              ]}
            />
          </>
        }
        slipway={
          <>
            {isAdded && (
              <Prepared
                what={
                  replacesInit(facts)
                    ? `${facts.recipe === null ? 'An init' : initNames[initOfRecipe(facts.recipe.family)]} in the place of that init, which does not start a machine, and what your settings need.`
                    : facts.init === null
                      ? 'An init system, and what your settings need.'
                      : 'What your settings need.'
                }
                preparation={preparation}
              />
            )}
            <p>
              What a machine has and a container has not: its host name, its table of file systems, and a
              machine id of its own at the first boot. What the container left behind is taken out.
            </p>
          </>
        }
      />
      {(facts.init !== null || isAdded) && <Lacks lacks={lacksOf(facts, settings.machine)} />}
      {(facts.init !== null || isAdded) && <InitSettings {...formOf(props)} />}
    </>
  )
}

const lackTexts: Record<Comfort, string> = {
  login: 'Nobody can log in to this machine: no user has a password or a key. Users, below, gives one.',
  network: 'It will have no network: nothing in the image sets one up. Network, below, does.',
}

/** What most people want of a machine and this one will not have. */
function Lacks({ lacks }: { lacks: readonly Comfort[] }) {
  if (lacks.length === 0) return null
  return (
    <Notice>
      {lacks.map((lack) => (
        <p key={lack}>{lackTexts[lack]}</p>
      ))}
    </Notice>
  )
}

/** The users beside root, and what lets them in; null when there are none. */
function usersText({ users }: ImageFacts): string | null {
  const others = users.filter(({ name }) => name !== 'root')
  const wayIn = ({ hasPassword, hasKeys }: ImageFacts['users'][number]): string => {
    if (hasPassword) return hasKeys ? 'password, key' : 'password'
    return hasKeys ? 'key' : 'cannot log in'
  }
  return others.length === 0 ? null : others.map((user) => `${user.name} (${wayIn(user)})`).join(', ')
}

function ApplicationsPanel(props: LinkPanelProps) {
  const { facts, settings } = props
  const { entrypoint, command, ports, environment, volumes, user, workingDirectory } = facts.applications
  // Values may be secret, and are of no use here.
  const variables = environment.map((line) => line.split('=')[0] ?? '').filter((name) => name !== 'PATH')
  const start = [...entrypoint, ...command].join(' ')
  return (
    <>
      <TwoSides
        image={
          <Facts
            rows={[
              ['System', facts.distribution?.prettyName ?? 'unknown distribution'],
              ['Packages by', facts.packageManager],
              ['Start command', start === '' ? 'none' : <code>{start}</code>],
              ['Runs as', start === '' || user === '' ? null : user],
              [
                'In the folder',
                start === '' || workingDirectory === '/' ? null : <code>{workingDirectory}</code>,
              ],
              ['Variables', variables.length === 0 ? null : variables.join(', ')],
              ['Volumes', volumes.length === 0 ? null : `${volumes.join(', ')}: on the disk, like all else`],
              ['Ports', ports.length === 0 ? 'none named' : ports.join(', ')],
            ]}
          />
        }
        slipway={
          <p>
            {settings.machine.runCommand
              ? 'A service that runs the start command at every boot.'
              : 'Nothing. Services that are enabled in the image start at boot; the start command belongs to the container and is not run.'}
          </p>
        }
      />
      <div className={styles.setting}>
        <StartCommand {...formOf(props)} />
      </div>
    </>
  )
}
