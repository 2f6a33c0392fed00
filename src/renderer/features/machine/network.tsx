import { useState } from 'react'
import type { MachineSettings } from '../../../shared/machine'
import { Checkbox, Choices, TextField } from '../../ui/field'
import { errorOf, textOrNull, type MachineFormProps } from './form'
import { passphraseError } from './rules'
import { Secret } from './secret'
import { wifiKey } from './wifi-key'
import styles from './machine.module.css'

/** The network in a few words. */
export function networkSummary({ network, wifi }: MachineSettings): string {
  const cable = {
    keep: () => 'as in the image',
    dhcp: () => 'address from the network (DHCP)',
    static: (address: string) => (address === '' ? 'a fixed address' : address),
  }[network.kind](network.kind === 'static' ? network.address : '')
  return wifi === null ? cable : `${cable}, Wi-Fi ${wifi.name}`.trimEnd()
}

const noAddress = { kind: 'static', address: '', gateway: null, nameservers: [] } as const

/** How the machine gets its address, and its Wi-Fi. */
export function Network(props: MachineFormProps) {
  const { machine, onChange } = props
  const { network, wifi } = machine
  const setKind = (kind: string): void =>
    onChange((before) => ({
      ...before,
      network:
        kind === 'static' ? { ...noAddress, nameservers: [] } : { kind: kind === 'dhcp' ? 'dhcp' : 'keep' },
    }))
  return (
    <div className={styles.columns}>
      <div className={styles.column}>
        <Choices
          label="By cable"
          value={network.kind}
          onChange={setKind}
          choices={[
            { value: 'keep', title: 'As in the image', detail: 'Nothing is changed.' },
            {
              value: 'dhcp',
              title: 'Automatic (DHCP)',
              detail: 'Asks the network for an address, by every cable. Right for most.',
            },
            { value: 'static', title: 'A fixed address', detail: 'The one that you type here.' },
          ]}
        />
        {network.kind === 'static' && <FixedAddress {...props} network={network} />}
      </div>
      <div className={styles.column}>
        <p className={styles.label}>Wi-Fi</p>
        <Checkbox
          isSelected={wifi !== null}
          onChange={(isSelected) =>
            onChange((before) => ({
              ...before,
              wifi: isSelected ? { name: '', key: '' } : null,
              // Few adapters work without; it can be taken back at the link Kernel.
              deviceFirmware: before.deviceFirmware || (isSelected && props.facts.recipe !== null),
            }))
          }
        >
          Join a Wi-Fi network
        </Checkbox>
        {wifi !== null && <Wifi {...props} wifi={wifi} />}
      </div>
    </div>
  )
}

type StaticNetwork = Extract<MachineSettings['network'], { kind: 'static' }>

function FixedAddress({ network, onChange, errors }: MachineFormProps & { network: StaticNetwork }) {
  // What is typed, because “1.1.1.1, ” is on its way to a second address.
  const [nameservers, setNameservers] = useState(network.nameservers.join(', '))
  const change = (changed: Partial<StaticNetwork>): void =>
    onChange((before) =>
      before.network.kind === 'static' ? { ...before, network: { ...before.network, ...changed } } : before,
    )
  return (
    <div className={styles.indented}>
      <TextField
        label="Address"
        value={network.address}
        placeholder="192.168.1.20/24"
        onChange={(address) => change({ address: address.trim() })}
        error={network.address === '' ? null : errorOf(errors, 'address')}
        description="With the length of the network behind it, most often /24."
      />
      <TextField
        label="Router"
        value={network.gateway ?? ''}
        placeholder="192.168.1.1"
        onChange={(gateway) => change({ gateway: textOrNull(gateway.trim()) })}
        error={errorOf(errors, 'gateway')}
      />
      <TextField
        label="Name servers"
        value={nameservers}
        placeholder="192.168.1.1"
        onChange={(text) => {
          setNameservers(text)
          change({ nameservers: text.split(/[\s,]+/).filter((address) => address !== '') })
        }}
        error={errorOf(errors, 'nameservers')}
      />
    </div>
  )
}

function Wifi({ wifi, onChange, errors }: MachineFormProps & { wifi: NonNullable<MachineSettings['wifi']> }) {
  const { name } = wifi
  return (
    <div className={styles.indented}>
      <TextField
        label="Name of the network"
        value={name}
        // The key is made of passphrase and name together, so another name needs the passphrase again.
        onChange={(text) => onChange((before) => ({ ...before, wifi: { name: text, key: '' } }))}
        error={name === '' ? null : errorOf(errors, 'wifiName')}
        {...(wifi.key === '' ? {} : { description: 'Another name needs the passphrase again.' })}
      />
      {name !== '' && (
        <Secret
          label="Passphrase"
          isSet={wifi.key !== ''}
          kept="Is set. Only the key made of it is kept."
          error={passphraseError}
          make={async (passphrase) => {
            const key = await wifiKey(name, passphrase)
            onChange((before) => (before.wifi?.name === name ? { ...before, wifi: { name, key } } : before))
          }}
          onClear={() => onChange((before) => ({ ...before, wifi: { name, key: '' } }))}
        />
      )}
    </div>
  )
}
