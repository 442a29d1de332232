/** `Symbol.dispose`, also in browsers that do not have it yet: the same symbol that lowered `using` statements look for. */
export const dispose: typeof Symbol.dispose = Symbol.dispose ?? (Symbol.for('Symbol.dispose') as never)
