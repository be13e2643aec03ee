// --image-policy: which partitions of an image may be used, and how they must be protected (systemd.image-policy(7)).

import { Refusal } from '../values/text';
import { ImageDefect } from './bytes';
import { DESIGNATORS, type Designator, dataOf } from './designators';

/** How a partition may be: used with this protection, there but not used, or not there. */
const USES = ['verity', 'signed', 'encrypted', 'unprotected', 'unused', 'absent'] as const;
export type PartitionUse = (typeof USES)[number];
export type Protection = Exclude<PartitionUse, 'unused' | 'absent'>;

const FILE_SYSTEMS = ['btrfs', 'erofs', 'ext4', 'f2fs', 'squashfs', 'vfat', 'xfs'];

/** What is allowed of one kind of partition. */
export interface PartitionRule {
  readonly uses: readonly PartitionUse[];
  /** what its read-only and its grow flag must be; without one either is right */
  readonly readOnly?: boolean;
  readonly grow?: boolean;
  /** types that the file system may have; none: any */
  readonly types: readonly string[];
}

export interface ImagePolicy {
  /** as it was written */
  readonly text: string;
  readonly rules: { readonly [designator in Designator]?: PartitionRule };
  readonly otherwise: PartitionRule;
}

/** What systemd-nspawn allows where nothing else is said: all but swap. */
const CONTAINER_POLICY =
  'root=verity+signed+encrypted+unprotected+absent:usr=verity+signed+encrypted+unprotected+absent:' +
  'home=encrypted+unprotected+absent:srv=encrypted+unprotected+absent:tmp=encrypted+unprotected+absent:' +
  'var=encrypted+unprotected+absent:esp=unprotected+absent:xbootldr=unprotected+absent';

const IGNORE: PartitionRule = { uses: ['unused', 'absent'], types: [] };

/** @throws Refusal */
export function parseImagePolicy(text: string): ImagePolicy {
  switch (text) {
    case '':
      throw new Refusal('empty', 'a - uses no partition');
    case '-':
      return { text, rules: {}, otherwise: IGNORE };
    case '*':
      return { text, rules: {}, otherwise: { uses: USES, types: [] } };
    case '~':
      return { text, rules: {}, otherwise: { uses: ['absent'], types: [] } };
  }
  const rules: { [designator in Designator]?: PartitionRule } = {};
  let otherwise: PartitionRule | undefined;
  for (const word of text.split(':')) {
    const equals = word.indexOf('=');
    if (equals < 0) throw new Refusal(`${word || 'an empty rule'} is not of the form PARTITION=USE+USE`);
    const name = word.slice(0, equals);
    const rule = parseRule(word.slice(equals + 1));
    if (name === '') {
      if (otherwise !== undefined) throw new Refusal('two rules for all other partitions');
      otherwise = rule;
      continue;
    }
    const designator = DESIGNATORS.find((known) => known === name);
    if (designator === undefined) throw new Refusal(`unknown partition ${name}`, `known: ${DESIGNATORS.join(' ')}`);
    if (rules[designator] !== undefined) throw new Refusal(`two rules for the partition ${name}`);
    rules[designator] = rule;
  }
  return { text, rules, otherwise: otherwise ?? IGNORE };
}

function parseRule(text: string): PartitionRule {
  const uses: PartitionUse[] = [];
  const types: string[] = [];
  const flags: { [name: string]: boolean[] } = { 'read-only': [], growfs: [] };
  for (const word of text === '' || text === '-' ? [] : text.split('+')) {
    const use = USES.find((known) => known === word);
    const flag = /^(read-only|growfs)-(on|off)$/.exec(word);
    if (use !== undefined) uses.push(use);
    else if (word === 'open') uses.push(...USES);
    else if (word === 'ignore') uses.push('unused', 'absent');
    else if (flag !== null) flags[flag[1] as string]?.push(flag[2] === 'on');
    else if (FILE_SYSTEMS.includes(word)) types.push(word);
    else throw new Refusal(`unknown use ${word || '(empty)'}`, `known: ${[...USES, 'open', 'ignore'].join(' ')}`);
  }
  const only = (values: boolean[] | undefined): boolean | undefined =>
    new Set(values).size === 1 ? values?.[0] : undefined;
  const [isReadOnly, grow] = [only(flags['read-only']), only(flags.growfs)];
  return {
    uses: uses.length === 0 ? USES : uses,
    ...(isReadOnly === undefined ? {} : { readOnly: isReadOnly }),
    ...(grow === undefined ? {} : { grow }),
    types,
  };
}

/** The policy that holds when none is given. */
export function defaultPolicy(): ImagePolicy {
  return parseImagePolicy(CONTAINER_POLICY);
}

/** What the policy says of a partition. One that vouches for another follows that one's rule where it has none of its own. */
export function ruleFor(policy: ImagePolicy, designator: Designator): PartitionRule {
  const own = policy.rules[designator];
  const data = dataOf(designator);
  if (data === undefined) {
    const rule = own ?? policy.otherwise;
    if (designator === 'root' || designator === 'usr') return rule;
    return { ...rule, uses: rule.uses.filter((use) => use !== 'verity' && use !== 'signed') };
  }
  if (own !== undefined) return own;
  const { uses } = ruleFor(policy, data);
  const wanted = uses.includes('signed') || (uses.includes('verity') && !designator.endsWith('-sig'));
  const rest = uses.filter((use) => use === 'unused' || use === 'absent');
  // an image may bring what nobody asks for
  return { uses: [...(wanted ? (['unprotected'] as const) : []), ...rest, 'unused', 'absent'], types: [] };
}

/** What was found out about a partition. */
export interface FoundPartition {
  readonly protection: Protection;
  readonly readOnly: boolean;
  readonly grow: boolean;
  /** of the file system; undefined while it is encrypted */
  readonly type?: string | undefined;
}

/**
 * Whether a partition is to be used.
 *
 * @param found undefined: the image has none of this kind
 * @throws ImageDefect where the policy is not met
 */
export function mayUse(policy: ImagePolicy, designator: Designator, found: FoundPartition | undefined): boolean {
  const rule = ruleFor(policy, designator);
  const refuse = (what: string): never => {
    throw new ImageDefect(
      `its ${designator} partition ${what}, which the image policy does not allow`,
      `the policy wants ${designator}=${rule.uses.join('+') || '(nothing)'}; --image-policy sets another one`,
    );
  };
  const usable = rule.uses.some((use) => use !== 'unused' && use !== 'absent');
  if (found === undefined) return rule.uses.includes('absent') ? false : refuse('is missing');
  if (!usable) return rule.uses.includes('unused') ? false : refuse('is there');
  if (!rule.uses.includes(found.protection)) {
    // it is there and may not be used like this, but need not be
    return rule.uses.includes('unused') ? false : refuse(`is ${found.protection}`);
  }
  if (rule.readOnly !== undefined && rule.readOnly !== found.readOnly)
    refuse(found.readOnly ? 'has the read-only flag' : 'lacks the read-only flag');
  if (rule.grow !== undefined && rule.grow !== found.grow)
    refuse(found.grow ? 'has the growfs flag' : 'lacks the growfs flag');
  if (rule.types.length > 0 && found.type !== undefined && !rule.types.includes(found.type))
    refuse(`holds ${found.type}`);
  return true;
}
