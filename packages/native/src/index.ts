export { addon, builtFile, exitNow } from './addon';
export { encodePlan } from './encode';
export { requireFilters, seccompProgram } from './filters';
export {
  explainsFailure,
  failureOf,
  type GuestEnd,
  type RunningGuest,
  startPlan,
  supervisePlan,
} from './machine';
