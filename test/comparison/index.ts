export { CASES } from './cases';
export { Comparer, type Comparison, type Difference, referenceVersion } from './compare';
export { EXPECTED } from './expected';
