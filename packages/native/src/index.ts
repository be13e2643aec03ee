export { addon, builtFile, exitNow } from './addon';
export { encodePlan } from './encode';
export {
  explainsFailure,
  failureOf,
  type GuestEnd,
  type RunningGuest,
  startPlan,
  supervisePlan,
} from './machine';
