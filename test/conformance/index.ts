export { differencesOf } from './expected';
export { listCases, makePrograms, type Width } from './place';
export {
  ACCELERATORS,
  comparable,
  type EngineWay,
  engine,
  onOldKernel,
  proot,
  type Results,
  reference,
  runAll,
  type Way,
} from './ways';
