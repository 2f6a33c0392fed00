/**
 * Runs work one call after the other, so that what one finds out the next need not.
 * @param work given what the call is given
 */
export function inTurn<A, T>(work: (argument: A) => Promise<T>): (argument: A) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve()
  return (argument) => {
    const mine = last.then(
      () => work(argument),
      () => work(argument),
    )
    last = mine
    return mine
  }
}
