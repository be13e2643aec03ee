// Users: the ids that a guest can have.

import { asRoot, givingIds, installing } from '../mend';
import type { Check, DoctorFacts, Finding, HelperFacts } from '../model';
import { untried } from './words';

/** What a guest loses that has one id. */
const ONE_ID =
  'a guest has one id on the disk: other owners are remembered beside the files, and each call about owners takes longer';

/** As many as a distribution hands out itself, and nobody's. */
const ENOUGH = 65_535;

const subordinateIds: Check = {
  key: 'subordinate-ids',
  question: 'has the caller subordinate ids',
  look: ({ caller, ids, ...facts }) => {
    if (ids.kind === 'root') return { answer: 'yes', detail: 'root of the host has all ids' };
    if (ids.kind === 'inherited' || ids.kind === 'direct') {
      if (ids.size > ENOUGH)
        return { answer: 'yes', detail: `${ids.size} ids of the user namespace that the caller is in` };
      const cost = ids.size === 1 ? ONE_ID : 'packages that have users of their own cannot be installed';
      return { answer: 'no', detail: `the user namespace that the caller is in has ${ids.size} of them`, cost };
    }
    const { uids, gids, source } = ids.subordinate;
    const where = source === undefined ? 'in /etc/subuid and /etc/subgid' : `from ${source} (subid in nsswitch.conf)`;
    const found = `${uids} users and ${gids} groups ${where}`;
    if (Math.min(uids, gids) >= ENOUGH) return { answer: 'yes', detail: found };
    // another source is not ours to fill
    const lacking = { cost: ONE_ID, mend: source === undefined ? givingIds({ caller, ids, ...facts }) : [] };
    if (uids === 0 && gids === 0) return { answer: 'no', detail: `none ${where} for ${nameOf(caller)}`, ...lacking };
    return { answer: 'partly', detail: `${found}: ${ENOUGH} of both are needed`, ...lacking };
  },
};

function nameOf({ name, uid }: DoctorFacts['caller']): string {
  return name === undefined ? `uid ${uid}, which has no name` : `${name} (${uid})`;
}

const mapHelpers: Check = {
  key: 'map-helpers',
  question: 'do newuidmap and newgidmap map them',
  look: (facts) => {
    const { ids, helpers, map } = facts;
    if (ids.kind !== 'mapped' && ids.kind !== 'single') return undefined;
    const missing = (['newuidmap', 'newgidmap'] as const).filter((name) => helpers[name] === undefined);
    if (missing.length > 0) {
      const detail = `${missing.join(' and ')} not found in PATH`;
      return { answer: 'no', detail, cost: ONE_ID, mend: installing(facts, 'newuidmap') };
    }
    if (ids.kind === 'mapped' && map === undefined) return untried('user namespaces');
    const { newuidmap, newgidmap } = helpers as { newuidmap: HelperFacts; newgidmap: HelperFacts };
    if (map?.works === true) return { answer: 'yes', detail: `a map of ${ids.size} ids, tried` };
    return notMapping(facts, [newuidmap, newgidmap], map?.said);
  },
};

function notMapping(facts: DoctorFacts, helpers: readonly HelperFacts[], said: string | undefined): Finding {
  const { caller } = facts;
  const no = (detail: string, mend: readonly string[] = []): Finding => ({ answer: 'no', detail, cost: ONE_ID, mend });
  const told = said === undefined || said === '' ? '' : `: ${said}`;
  if (caller.noNewPrivileges) {
    return no(
      `the caller may gain no privileges (no_new_privs, NoNewPrivileges=, allowPrivilegeEscalation: false): set-id programs do nothing${told}`,
    );
  }
  const nosuid = helpers.find((helper) => helper.nosuid);
  if (nosuid !== undefined) {
    return no(`the file system of ${nosuid.path} is mounted nosuid${told}`, [
      asRoot(facts, `mount -o remount,suid $(findmnt -no TARGET -T ${nosuid.path})`),
    ]);
  }
  const plain = helpers.filter((helper) => !helper.privileged).map(({ path }) => path);
  if (plain.length > 0) {
    return no(`${plain.join(' and ')} neither set-id nor with file capabilities${told}`, [
      asRoot(facts, `chmod u+s ${plain.join(' ')}`),
    ]);
  }
  if (said === undefined) return { answer: 'yes', detail: 'they are there, and have nothing to map' };
  return no(`they refuse${told}`);
}

export const USERS: readonly Check[] = [subordinateIds, mapHelpers];
