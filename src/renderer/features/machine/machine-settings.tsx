import { Checkbox, NumberField } from '../../ui/field'
import { Disclosure, Disclosures } from '../../ui/disclosure'
import { errorOf, type MachineFormProps } from './form'
import { Identity, identitySummary } from './identity'
import { Login, loginSummary } from './login'
import { Network, networkSummary } from './network'
import { RemoteLogin, remoteSummary } from './remote-login'
import styles from './machine.module.css'

const GIGABYTE = 1_000_000_000

/** The settings of the link Init: who the machine is, who logs in and how, and its network. */
export function InitSettings(props: MachineFormProps) {
  const { machine, errors } = props
  return (
    <Disclosures>
      <Disclosure
        title="Name, time, language"
        summary={identitySummary(machine)}
        error={errorOf(errors, 'hostname', 'timeZone', 'locale', 'keyboard')}
      >
        <Identity {...props} />
      </Disclosure>
      <Disclosure
        title="Users"
        summary={loginSummary(machine)}
        error={errorOf(errors, 'rootPassword', 'userName', 'userPassword')}
      >
        <Login {...props} />
      </Disclosure>
      <Disclosure title="Remote login" summary={remoteSummary(machine)}>
        <RemoteLogin {...props} />
      </Disclosure>
      <Disclosure
        title="Network"
        summary={networkSummary(machine)}
        error={errorOf(errors, 'address', 'gateway', 'nameservers', 'wifiName', 'wifiKey')}
      >
        <Network {...props} />
      </Disclosure>
    </Disclosures>
  )
}

/** The settings of the link Disk that the machine sees to by itself: growing, and a swap file. */
export function RoomSettings({ machine, onChange, errors }: MachineFormProps) {
  const { swapBytes } = machine
  return (
    <div className={styles.ruled}>
      <Checkbox
        isSelected={machine.growRoot}
        onChange={(growRoot) => onChange((before) => ({ ...before, growRoot }))}
        detail="At the first start, so that a stick of any size is used whole."
      >
        Grow to the whole drive
      </Checkbox>
      <div className={styles.column}>
        <Checkbox
          isSelected={swapBytes !== null}
          onChange={(isSelected) =>
            onChange((before) => ({ ...before, swapBytes: isSelected ? GIGABYTE : null }))
          }
          detail="Room on the disk for when memory runs short."
        >
          Swap file
        </Checkbox>
        {swapBytes !== null && (
          <div className={styles.indented}>
            <NumberField
              label="Size of the swap file in GB"
              unit="GB"
              value={swapBytes / GIGABYTE}
              minimum={0}
              step={0.01}
              onChange={(value) => {
                if (Number.isFinite(value)) {
                  onChange((before) => ({ ...before, swapBytes: Math.round(value * GIGABYTE) }))
                }
              }}
              error={errorOf(errors, 'swap')}
            />
          </div>
        )}
      </div>
    </div>
  )
}

/** The setting of the link Kernel: a second boot entry with the console on a serial port. */
export function SerialConsole({ machine, onChange }: MachineFormProps) {
  return (
    <Checkbox
      isSelected={machine.serialConsole}
      onChange={(serialConsole) => onChange((before) => ({ ...before, serialConsole }))}
      detail="A second entry in the boot menu, for a machine without a screen (first serial port, 115,200 bits per second)."
    >
      Boot entry with a serial console
    </Checkbox>
  )
}

/** The setting of the link Kernel that real computers ask for: what their makers give drivers to load into them. */
export function DeviceFirmware({ facts, machine, onChange }: MachineFormProps) {
  const isThere = facts.equipment.includes('firmware')
  return (
    <Checkbox
      isSelected={machine.deviceFirmware || isThere}
      onChange={(deviceFirmware) => onChange((before) => ({ ...before, deviceFirmware }))}
      isDisabled={isThere && !machine.deviceFirmware}
      detail={
        isThere
          ? 'In the image.'
          : 'What Wi-Fi, many graphics and some network adapters need from their makers, and corrections for processors. Not free software, and some hundred megabytes; a virtual machine needs none of it.'
      }
    >
      Firmware for real hardware
    </Checkbox>
  )
}

/** The setting of the link Apps: what a container would run is run by the machine. */
export function StartCommand({ facts, machine, onChange }: MachineFormProps) {
  const { entrypoint, command } = facts.applications
  const hasCommand = entrypoint.length + command.length > 0
  return (
    <Checkbox
      isSelected={machine.runCommand}
      onChange={(runCommand) => onChange((before) => ({ ...before, runCommand }))}
      isDisabled={!hasCommand && !machine.runCommand}
      detail={
        hasCommand
          ? 'As a service that begins when the machine has started, with the image’s own variables, folder and user.'
          : 'The image names no command.'
      }
    >
      Run the start command
    </Checkbox>
  )
}
