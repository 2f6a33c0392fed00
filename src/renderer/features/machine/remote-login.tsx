import { useEffect, useState } from 'react'
import { FileTrigger } from 'react-aria-components'
import type { MachineSettings } from '../../../shared/machine'
import { useApi } from '../../api/api'
import { Button } from '../../ui/button'
import { Checkbox, TextArea } from '../../ui/field'
import { fileName, plural } from '../../words'
import type { MachineFormProps } from './form'
import { MOST_KEY_TEXT, parsePublicKey, readPublicKeys, type PublicKey } from './public-key'
import styles from './machine.module.css'

/** The contract takes no more. */
const MOST_KEYS = 50

/** Login over the network in a few words. */
export function remoteSummary({ sshServer, sshKeys }: MachineSettings): string {
  const keys = sshKeys.length === 0 ? null : plural(sshKeys.length, 'key', 'keys')
  const server = sshServer ? 'SSH server' : 'as in the image'
  return keys === null ? server : `${server}, ${keys}`
}

/** A key that can be ticked, and the file it was found in. */
interface OfferedKey extends PublicKey {
  file: string | null
}

/** Login over the network: the SSH server, and whose keys are let in. */
export function RemoteLogin({ machine, onChange }: MachineFormProps) {
  const own = useOwnKeys()
  const [pasted, setPasted] = useState('')
  const [problem, setProblem] = useState<string | null>(null)
  const offered = offeredKeys(own, machine.sshKeys)
  const account = machine.user === null || machine.user.name === '' ? 'root' : machine.user.name

  const choose = (line: string, isChosen: boolean): void =>
    onChange((before) => {
      const others = before.sshKeys.filter((key) => key !== line)
      return { ...before, sshKeys: isChosen ? [...others, line] : others }
    })
  const add = (text: string): boolean => {
    const read = readPublicKeys(text)
    if (!read.ok) {
      setProblem(read.reason)
      return false
    }
    const lines = [...new Set([...machine.sshKeys, ...read.keys.map(({ line }) => line)])]
    if (lines.length > MOST_KEYS) {
      setProblem(`A machine takes ${MOST_KEYS} keys at most. None was added.`)
      return false
    }
    setProblem(null)
    onChange((before) => ({ ...before, sshKeys: [...new Set([...before.sshKeys, ...lines])] }))
    return true
  }
  const addFile = async (files: FileList | null): Promise<void> => {
    const file = files?.[0]
    if (file === undefined) return
    // Nobody's public key is that long; a film that was chosen by mistake is not read.
    add(file.size > MOST_KEY_TEXT ? 'too long' : await file.text())
  }
  return (
    <>
      <Checkbox
        isSelected={machine.sshServer}
        onChange={(sshServer) => onChange((before) => ({ ...before, sshServer }))}
        detail="With SSH. The machine makes its own host keys at its first start."
      >
        Let people log in over the network
      </Checkbox>
      <div role="group" aria-labelledby="keys-label" className={styles.column}>
        <p id="keys-label" className={styles.label}>
          Keys that let somebody in as {account}
        </p>
        {offered.map((key) => (
          <Checkbox
            key={key.line}
            isSelected={machine.sshKeys.includes(key.line)}
            onChange={(isChosen) => choose(key.line, isChosen)}
            detail={
              <span className={styles.keyDetail}>
                {key.file === null ? key.type : `${key.type}, ${key.file}`}, <code>{key.fingerprint}</code>
              </span>
            }
          >
            {key.comment === '' ? 'Key without a comment' : key.comment}
          </Checkbox>
        ))}
        {own !== null && offered.length === 0 && (
          <p className={styles.soft}>You have none in ~/.ssh. Paste one, or choose its file.</p>
        )}
        <TextArea
          label="Another public key"
          value={pasted}
          rows={2}
          placeholder="ssh-ed25519 AAAA…"
          onChange={(text) => {
            setPasted(text)
            setProblem(null)
          }}
          error={problem}
        />
        <div className={styles.buttons}>
          <Button
            isDisabled={pasted.trim() === ''}
            onPress={() => {
              if (add(pasted)) setPasted('')
            }}
          >
            Add
          </Button>
          <FileTrigger onSelect={(files) => void addFile(files)}>
            <Button>From a file…</Button>
          </FileTrigger>
        </div>
      </div>
    </>
  )
}

/** The person's own public keys, null until they were looked for. Those that cannot be read are left out. */
function useOwnKeys(): readonly OfferedKey[] | null {
  const call = useApi()
  const [keys, setKeys] = useState<readonly OfferedKey[] | null>(null)
  useEffect(() => {
    let current = true
    void call('listPublicKeys', null).then((answer) => {
      if (!current) return
      const found = answer.ok ? answer.value : []
      setKeys(
        found.flatMap(({ file, key }) => {
          const read = parsePublicKey(key)
          return read === null ? [] : [{ ...read, file: fileName(file) }]
        }),
      )
    })
    return () => {
      current = false
    }
  }, [call])
  return keys
}

function offeredKeys(own: readonly OfferedKey[] | null, chosen: readonly string[]): OfferedKey[] {
  const others = chosen.flatMap((line) => {
    const read = parsePublicKey(line)
    return read === null || own?.some((key) => key.line === line) === true ? [] : [{ ...read, file: null }]
  })
  return [...(own ?? []), ...others]
}
