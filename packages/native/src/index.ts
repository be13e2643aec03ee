export {
  addon,
  builtFile,
  exactArguments,
  exitNow,
  type FileFacts,
  nodeCommand,
  type OpenedImage,
  type OpenedTree,
} from './addon';
export { encodePlan } from './encode';
export { requireFilters, seccompProgram } from './filters';
export {
  explainsFailure,
  failureOf,
  forgetFailure,
  type GuestEnd,
  type RunningGuest,
  startPlan,
  supervisePlan,
} from './machine';
export { runInNamespace } from './namespace';
