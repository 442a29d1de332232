// The proxy as a library, for Node: `assay/proxy`.
export { AssayError, InputError, OptionError } from '../core/errors.js'
export type { LoadedPolicy } from '../gate/policy.js'
export { type DecisionLine, DecisionLog } from './decision-line.js'
export type { OpenSigned, OperatorDecision } from './operator.js'
export { decideAsOperator, type OperatorRequest } from './operator-file.js'
export type { RunningProxy } from './proxy-settings.js'
export { type AnswerCode, answers } from './refused.js'
export { type ProxyOptions, startProxy } from './start-proxy.js'
