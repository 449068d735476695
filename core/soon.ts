/**
 * What is there at once, or comes later. Most reads find all that they need at hand, and a promise for each step would
 * cost more than most of the steps.
 */
export type Soon<T> = T | Promise<T>;

/** Goes on with `value`, now if it is there. What `goOn` throws is thrown, or rejects, as `value` came. */
export function soon<T, R>(value: Soon<T>, goOn: (value: T) => Soon<R>): Soon<R> {
  return value instanceof Promise ? value.then(goOn) : goOn(value);
}

/** What `act` gives, or what `recover` makes of the error that it throws or rejects with. */
export function otherwise<T>(act: () => Soon<T>, recover: (error: unknown) => T): Soon<T> {
  try {
    const value = act();
    return value instanceof Promise ? value.catch(recover) : value;
  } catch (error) {
    return recover(error);
  }
}
