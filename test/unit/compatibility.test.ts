// Nothing of systemd-nspawn is missing in silence: an option is there, or docs/compatibility.md says that it is not.

import { OPTIONS } from '@tsnspawn/core';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CASES, EXPECTED } from '../comparison';
import { compatibilityRows } from '../support/compatibility';

/** What `systemd-nspawn --help` of version 252 lists, in its order. */
const OPTIONS_OF_252 = `
  -h --help --version -q --quiet --no-pager --settings
  -D --directory --template -x --ephemeral -i --image --oci-bundle --read-only --volatile --root-hash --root-hash-sig
  --verity-data --pivot-root
  -a --as-pid2 -b --boot --chdir -E --setenv -u --user --kill-signal --notify-ready --suppress-sync
  -M --machine --hostname --uuid
  -S --slice --property --register --keep-unit
  --private-users --private-users-ownership -U
  --private-network --network-interface --network-macvlan --network-ipvlan -n --network-veth --network-veth-extra
  --network-bridge --network-zone --network-namespace-path -p --port
  --capability --drop-capability --ambient-capability --no-new-privileges --system-call-filter
  -Z --selinux-context -L --selinux-apifs-context
  --rlimit --oom-score-adjust --cpu-affinity --personality
  --resolv-conf --timezone --link-journal -j
  --bind --bind-ro --inaccessible --tmpfs --overlay --overlay-ro --bind-user
  --console -P --pipe --set-credential --load-credential`
  .trim()
  .split(/\s+/);

/** Options that later versions brought. */
const OPTIONS_SINCE = `
  --image-policy --background --no-ask-password --cleanup --mstack --forward-journal --private-users-delegate --bind-user-shell
  --bind-user-group --uid`
  .trim()
  .split(/\s+/);

const ours = new Set(
  OPTIONS.flatMap(({ long, also = [], short }) => [
    ...[long, ...also].flatMap((name) => (name === undefined ? [] : [`--${name}`])),
    ...(short === undefined ? [] : [`-${short}`]),
  ]),
);
const rows = compatibilityRows();

function isRow(option: string): boolean {
  return rows.some(({ feature }) => new RegExp(`(^|[\`, ])${option}($|[\`,= ])`).test(feature));
}

for (const [version, options] of [
  ['252', OPTIONS_OF_252],
  ['later versions', OPTIONS_SINCE],
] as const) {
  test(`every option of ${version} is in the option table or in docs/compatibility.md`, () => {
    assert.equal(
      options.filter((option) => !ours.has(option) && !isRow(option)),
      [],
    );
  });
}

test('every row of docs/compatibility.md says what differs, and no feature has two', () => {
  for (const { feature, difference } of rows) assert.ok(feature !== '' && difference !== '', feature);
  const features = rows.map(({ feature }) => feature);
  assert.equal([...new Set(features)], features);
});

test('every difference from systemd-nspawn that the comparison expects is a row, which gives the reason', () => {
  const features = new Set(rows.map(({ feature }) => feature));
  assert.equal(
    EXPECTED.map(({ row }) => row).filter((row) => !features.has(row)),
    [],
  );
});

test('no two cases of the comparison promise the same', () => {
  const promises = CASES.map(({ promise }) => promise);
  assert.equal(
    promises.filter((promise, index) => promises.indexOf(promise) !== index),
    [],
  );
});

test.run();
