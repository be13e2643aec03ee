export { addon, builtFile, exitNow } from './addon';
export { encodePlan } from './encode';
export {
  failureOf,
  type GuestEnd,
  type RunningGuest,
  startPlan,
  supervisePlan,
} from './machine';
