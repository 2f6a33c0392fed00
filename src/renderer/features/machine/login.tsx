import type { ImageFacts } from '../../../shared/image'
import type { MachineSettings } from '../../../shared/machine'
import { Checkbox, Choices, TextField } from '../../ui/field'
import { errorOf, type MachineFormProps } from './form'
import { passwordError } from './rules'
import { Secret } from './secret'
import { randomSalt, sha512crypt } from './sha512crypt'
import styles from './machine.module.css'

/** How root logs in to an image as it is. */
export const rootLogins: Record<ImageFacts['rootLogin'], string> = {
  'no-password': 'root logs in without a password',
  password: 'root logs in with its password',
  locked: 'root is locked: it has no password that would let it in',
  unknown: 'not known: the image has no list of passwords (/etc/shadow)',
}

const rootSummaries: Record<MachineSettings['rootPassword']['kind'], string> = {
  keep: 'root as in the image',
  empty: 'root without a password',
  locked: 'root locked',
  hash: 'root with a password',
}

/** Who can log in, in a few words. */
export function loginSummary({ rootPassword, user }: MachineSettings): string {
  const root = rootSummaries[rootPassword.kind]
  return user === null ? root : `${root}, user ${user.name === '' ? 'without a name' : user.name}`
}

const hash = (password: string): Promise<string> => sha512crypt(password, randomSalt())
const HASHED = 'Is set. Only a hash of it is kept.'

/** Who can log in at the machine's own screen: root, and a user. */
export function Login({ facts, machine, onChange, errors }: MachineFormProps) {
  const { rootPassword, user } = machine
  return (
    <div className={styles.columns}>
      <div className={styles.column}>
        <Choices
          label="The administrator, root"
          value={rootPassword.kind}
          onChange={(kind) =>
            onChange((before) => ({
              ...before,
              rootPassword: rootPasswordOf(kind),
            }))
          }
          choices={[
            { value: 'keep', title: 'As in the image', detail: `Now ${rootLogins[facts.rootLogin]}.` },
            {
              value: 'empty',
              title: 'Without a password',
              detail: 'Whoever sits at the machine logs in; over the network nobody does.',
            },
            { value: 'locked', title: 'Locked', detail: 'Nobody logs in as root.' },
            { value: 'hash', title: 'With a password', detail: 'The one that you type here.' },
          ]}
        />
        {rootPassword.kind === 'hash' && (
          <div className={styles.indented}>
            <Secret
              label="Password of root"
              isSet={rootPassword.hash !== ''}
              kept={HASHED}
              error={passwordError}
              make={async (password) => {
                const made = await hash(password)
                onChange((before) =>
                  before.rootPassword.kind === 'hash'
                    ? { ...before, rootPassword: { kind: 'hash', hash: made } }
                    : before,
                )
              }}
              onClear={() => onChange((before) => ({ ...before, rootPassword: { kind: 'hash', hash: '' } }))}
            />
          </div>
        )}
      </div>
      <div className={styles.column}>
        <p className={styles.label}>A user beside root</p>
        <Checkbox
          isSelected={user !== null}
          onChange={(isSelected) =>
            onChange((before) => ({
              ...before,
              user: isSelected ? { name: '', passwordHash: '', sudo: true } : null,
            }))
          }
        >
          Add a user
        </Checkbox>
        {user !== null && <User user={user} machine={machine} onChange={onChange} errors={errors} />}
      </div>
    </div>
  )
}

function rootPasswordOf(kind: string): MachineSettings['rootPassword'] {
  switch (kind) {
    case 'hash':
      return { kind, hash: '' }
    case 'empty':
    case 'locked':
      return { kind }
    default:
      return { kind: 'keep' }
  }
}

function User({
  user,
  onChange,
  errors,
}: Omit<MachineFormProps, 'facts'> & { user: NonNullable<MachineSettings['user']> }) {
  const changeUser = (change: Partial<typeof user>): void =>
    onChange((before) => (before.user === null ? before : { ...before, user: { ...before.user, ...change } }))
  const keyError = user.passwordHash === null ? errorOf(errors, 'userPassword') : null
  return (
    <div className={styles.indented}>
      <TextField
        label="Name"
        value={user.name}
        onChange={(name) => changeUser({ name })}
        error={user.name === '' ? null : errorOf(errors, 'userName')}
        description="Small letters, such as ada."
      />
      {user.passwordHash !== null && (
        <Secret
          label="Password of the user"
          isSet={user.passwordHash !== ''}
          kept={HASHED}
          error={passwordError}
          make={async (password) => {
            const made = await hash(password)
            onChange((before) =>
              before.user === null || before.user.passwordHash === null
                ? before
                : { ...before, user: { ...before.user, passwordHash: made } },
            )
          }}
          onClear={() => changeUser({ passwordHash: '' })}
        />
      )}
      <Checkbox
        isSelected={user.passwordHash === null}
        onChange={(byKey) => changeUser({ passwordHash: byKey ? null : '' })}
        detail={
          keyError === null ? (
            'The user logs in over the network, see “Remote login”.'
          ) : (
            <span className={styles.error}>{keyError}</span>
          )
        }
      >
        No password: a key alone
      </Checkbox>
      <Checkbox isSelected={user.sudo} onChange={(sudo) => changeUser({ sudo })} detail="With sudo.">
        May do what root may
      </Checkbox>
    </div>
  )
}
