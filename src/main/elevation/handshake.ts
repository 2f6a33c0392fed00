import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

/** Bytes of the one-use secret that both sides know. */
export const SECRET_BYTES = 32

/** Names of what lies in the 0700 directory that the two sides meet in. */
export const SECRET_FILE = 'secret'
export const SOCKET_FILE = 'socket'

/** The helper's test switch as an argument; see helper.ts. */
export const LOOP_TARGETS_ARGUMENT = '--test-loop-targets'

export type Role = 'main' | 'helper'

/** A fresh challenge: 32 random bytes in hexadecimal. */
export function makeNonce(): string {
  return randomBytes(32).toString('hex')
}

/**
 * Proves knowledge of the secret: HMAC-SHA256 (RFC 2104) over the role and the
 * other side's nonce. The role is in it so that a proof cannot be sent back to
 * the side that made it.
 * @param secret the shared secret
 * @param role who proves
 * @param nonce what the other side sent, hexadecimal
 * @returns the proof in hexadecimal
 */
export function makeProof(secret: Uint8Array, role: Role, nonce: string): string {
  return createHmac('sha256', secret).update(role).update(nonce).digest('hex')
}

/** Whether `proof` is the one that `role` had to give for `nonce`; takes the same time for every wrong one. */
export function proofHolds(secret: Uint8Array, role: Role, nonce: string, proof: string): boolean {
  const expected = Buffer.from(makeProof(secret, role, nonce))
  const given = Buffer.from(proof)
  return expected.length === given.length && timingSafeEqual(expected, given)
}
