import type { BuildSettings } from '../../../shared/image'
import { Button } from '../../ui/button'
import { Checkbox, TextArea } from '../../ui/field'
import { Notice } from '../../ui/notice'
import { Sheet } from '../../ui/sheet'
import { familyNames, leftOut, type Proposal } from './preparation'
import styles from './convert.module.css'

type Preparation = BuildSettings['preparation']

/**
 * How an image is prepared: the Dockerfile, which can be changed.
 * @param proposal Slipway's own, or null where it has none
 * @param proposed what stands there until it is changed: Slipway's own, or the beginning of one
 * @param preparation what was chosen; null while nothing would be prepared
 */
export function PreparationSheet(props: {
  imageName: string
  proposal: Proposal | null
  proposed: string
  preparation: Preparation
  onChange: (preparation: Preparation) => void
  isOpen: boolean
  onClose: () => void
}) {
  const { proposal, preparation, proposed } = props
  const dockerfile = preparation?.dockerfile ?? null
  const anew = preparation?.anew ?? false
  const isChanged = dockerfile !== null
  const missing = isChanged && proposal !== null ? leftOut(proposal, dockerfile) : []
  const setText = (text: string): void => {
    if (text !== proposed) props.onChange({ dockerfile: text, anew })
    else props.onChange(proposal === null ? null : { dockerfile: null, anew })
  }
  return (
    <Sheet
      title={`How ${props.imageName} is prepared`}
      size="large"
      isOpen={props.isOpen}
      onClose={props.onClose}
      footer={
        <>
          <Button isDisabled={!isChanged} onPress={() => setText(proposed)}>
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
      {proposal?.proven === false && <Unproven proposal={proposal} />}
      <TextArea
        label="Dockerfile"
        value={dockerfile ?? proposed}
        rows={14}
        onChange={setText}
        description={describe(proposal !== null, isChanged)}
      />
      {missing.length > 0 && (
        <p className={styles.obstacle}>
          Slipway’s own would also add {missing.join(', ')}. Without it, what you chose may not work.
        </p>
      )}
      {preparation !== null && (
        <Checkbox
          isSelected={anew}
          onChange={(isSelected) => props.onChange({ dockerfile, anew: isSelected })}
          detail="What was prepared before is used again otherwise. Anew, kernel and packages come as they are today."
        >
          Prepare anew
        </Checkbox>
      )}
    </Sheet>
  )
}

function describe(isProposed: boolean, isChanged: boolean): string {
  if (!isProposed)
    return isChanged ? 'Written by you.' : 'A beginning, which installs nothing yet. Write it here.'
  return isChanged
    ? 'Changed by you. Reset takes Slipway’s own again.'
    : 'Slipway’s own. It can be changed here.'
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
