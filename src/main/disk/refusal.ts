import type { Failure, FailureCode, FailureFacts } from '../../shared/failure'

/**
 * An expected failure on its way out of deep, synchronous code. It never leaves the module that the caller
 * talks to: `refusalOf` turns it into a value there.
 */
export class Refusal extends Error {
  constructor(readonly failure: Failure) {
    super(failure.code)
  }
}

/** Leaves with an expected failure. The facts are checked against the code by the compiler. */
export function refuse<C extends FailureCode>(code: C, facts: FailureFacts<C>): never {
  throw new Refusal({ code, facts } as Failure)
}

/** The failure inside a refusal; anything else is a bug, and is thrown again. */
export function refusalOf(error: unknown): Failure {
  if (error instanceof Refusal) return error.failure
  throw error
}
