// Relations between packages: `a (>= 1) | b:any, c [amd64]`. A dependency is a list of groups (all must hold) of
// alternatives (one must hold).
import { type VersionOperator, versionSatisfies } from './version';

export interface Relation {
  readonly name: string;
  /** `any`, `native` or the name of an architecture, when written behind a colon. */
  readonly qualifier?: string;
  readonly operator?: VersionOperator;
  readonly version?: string;
}

export type Alternatives = readonly Relation[];

const RELATION =
  /^([a-zA-Z0-9][a-zA-Z0-9+.-]*)(?::([a-z0-9-]+))?\s*(?:\(\s*(<<|<=|=|>=|>>|<|>)\s*([A-Za-z0-9][^\s)]*)\s*\))?\s*(?:\[([^\]]*)\])?\s*(?:<[^>]*>\s*)*$/;

/** Parse a dependency field. Alternatives limited to other architectures than `architecture` are left out. */
export function parseRelations(field: string, architecture?: string): Alternatives[] {
  const groups: Alternatives[] = [];
  for (const part of field.split(',')) {
    if (part.trim() === '') continue;
    const alternatives: Relation[] = [];
    for (const one of part.split('|')) {
      const match = RELATION.exec(one.trim());
      if (match === null) throw new SyntaxError(`not a relation between packages: ${one.trim()}`);
      const [, name, qualifier, operator, version, architectures] = match;
      if (architectures !== undefined && architecture !== undefined && !architectureListed(architectures, architecture))
        continue;
      alternatives.push({
        name: name as string,
        ...(qualifier !== undefined && { qualifier }),
        ...(operator !== undefined && { operator: modernOperator(operator), version: version as string }),
      });
    }
    if (alternatives.length > 0) groups.push(alternatives);
  }
  return groups;
}

/** `<` and `>` are the deprecated spellings of `<=` and `>=`, not of the strict relations. */
function modernOperator(operator: string): VersionOperator {
  if (operator === '<') return '<=';
  if (operator === '>') return '>=';
  return operator as VersionOperator;
}

function architectureListed(list: string, architecture: string): boolean {
  const words = list.split(/\s+/).filter((word) => word !== '');
  if (words.some((word) => word.startsWith('!'))) return !words.includes(`!${architecture}`);
  return words.includes(architecture) || words.includes('any');
}

/** Whether a real package of this version is what the relation asks for; its name is taken as matching. */
export function relationAccepts(relation: Relation, version: string): boolean {
  if (relation.operator === undefined || relation.version === undefined) return true;
  return versionSatisfies(version, relation.operator, relation.version);
}

/** The relation as a person writes it. */
export function relationText(relation: Relation): string {
  const qualifier = relation.qualifier === undefined ? '' : `:${relation.qualifier}`;
  const version = relation.operator === undefined ? '' : ` (${relation.operator} ${relation.version})`;
  return `${relation.name}${qualifier}${version}`;
}
