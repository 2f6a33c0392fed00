import { Button } from '../../ui/button'
import { TextArea } from '../../ui/field'
import { Notice } from '../../ui/notice'
import { Sheet } from '../../ui/sheet'
import { familyNames, leftOut, type Proposal } from './preparation'
import styles from './convert.module.css'

/**
 * How an image is prepared: the Dockerfile, which can be changed.
 * @param dockerfile what was made of it, or null while it is the proposed one
 * @param onChange null takes the proposed one again
 */
export function PreparationSheet(props: {
  imageName: string
  proposal: Proposal
  dockerfile: string | null
  onChange: (dockerfile: string | null) => void
  isOpen: boolean
  onClose: () => void
}) {
  const { proposal, dockerfile } = props
  const isChanged = dockerfile !== null
  const missing = isChanged ? leftOut(proposal, dockerfile) : []
  return (
    <Sheet
      title={`How ${props.imageName} is prepared`}
      size="large"
      isOpen={props.isOpen}
      onClose={props.onClose}
      footer={
        <>
          <Button isDisabled={!isChanged} onPress={() => props.onChange(null)}>
            Reset
          </Button>
          <Button look="primary" onPress={props.onClose}>
            Done
          </Button>
        </>
      }
    >
      <p>
        Docker makes a second image from yours by this Dockerfile, and the disk is made from that one. Your
        image stays as it is. Packages come over the network; passwords and keys never go into an image.
      </p>
      {!proposal.proven && <Unproven proposal={proposal} />}
      <TextArea
        label="Dockerfile"
        value={dockerfile ?? proposal.dockerfile}
        rows={14}
        onChange={(text) => props.onChange(text === proposal.dockerfile ? null : text)}
        description={
          isChanged
            ? 'Changed by you. Reset takes Slipway’s own again.'
            : 'Slipway’s own. It can be changed here.'
        }
      />
      {missing.length > 0 && (
        <p className={styles.obstacle}>
          Slipway’s own would also add {missing.join(', ')}. Without it, what you chose may not work.
        </p>
      )}
    </Sheet>
  )
}

/** That nobody has seen a machine of this recipe boot. */
export function Unproven({ proposal }: { proposal: Proposal }) {
  return (
    <Notice>
      <p>
        <strong>Unproven:</strong> no machine was booted yet that was prepared like this (
        {familyNames[proposal.family]}). Preview the disk before you rely on it.
      </p>
    </Notice>
  )
}
