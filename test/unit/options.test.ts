import { OPTIONS, parseArguments, UsageError, view } from '@tsnspawn/core';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { host, spec, specIn, tree } from './fixtures';

function refused(argv: readonly string[], message: RegExp, hint?: RegExp): void {
  try {
    parseArguments(argv, {});
  } catch (error) {
    assert.instance(error, UsageError);
    assert.match((error as UsageError).message, message);
    if (hint !== undefined) assert.match((error as UsageError).hint ?? '', hint);
    return;
  }
  assert.unreachable(`accepted: ${argv.join(' ')}`);
}

test('a value may be attached, follow = or be the next word', () => {
  for (const argv of [['-Dtree'], ['-D', 'tree'], ['--directory=tree'], ['--directory', 'tree'], ['--dir=tree']]) {
    assert.is(spec(...argv).directory, 'tree', argv.join(' '));
  }
});

test('short options cluster, and the last of them may take the next word', () => {
  const { directory, start } = spec('-bqD', 'tree');
  assert.equal([directory, start], ['tree', 'boot']);
  assert.is(spec('-qDtree').directory, 'tree');
});

test('the first word that is no option begins the payload, whatever follows', () => {
  const { command, start } = spec('-D', 'tree', 'ls', '-b', '--help');
  assert.equal([...command], ['ls', '-b', '--help']);
  assert.is(start, 'pid1');
});

test('-- ends the options and is itself dropped', () => {
  assert.equal(spec('--', '-b').command, ['-b']);
  assert.equal(spec('ls', '--', 'x').command, ['ls', '--', 'x']);
  assert.equal(spec('-').command, ['-']);
});

test('with --boot the words after the options are arguments of init', () => {
  const { command, start } = spec('--boot', 'single', '-x');
  assert.equal([start, ...command], ['boot', 'single', '-x']);
});

test('an exact name wins over a longer one that starts with it', () => {
  assert.equal(
    spec('--bind=/a:/b', '--bind-ro=/c:/d').mounts.map((mount) => mount.kind === 'bind' && mount.readOnly),
    [false, true],
  );
});

test('an ambiguous prefix is refused with the names it could be', () => {
  refused(['--no-'], /--no- is ambiguous/, /^it could be --no-new-privileges, --no-pager, --no-ask-password$/);
  refused(['--u=1'], /ambiguous/, /--uuid, --user/);
});

test('a prefix that is unique in systemd-nspawn is no less so for options that only exist here', () => {
  assert.equal(spec('--dr=CAP_KILL').dropCapabilities, ['kill']);
  assert.equal(spec('--pro=CPUQuota=5%').properties, [{ name: 'CPUQuota', value: '5%' }]);
  assert.is(spec('--proc=read-only').procReadOnly, true);
});

test('two names of one option are not ambiguous', () => {
  assert.is(spec('--ui=joe').user, 'joe');
  assert.is(spec('--uid=7').user, '7');
});

test('an unknown option is named, with the nearest one as a hint', () => {
  refused(['--raed-only'], /unknown option --raed-only/, /did you mean --read-only\?/);
  refused(['--frobnicate'], /unknown option --frobnicate/, /--help/);
  refused(['-z'], /unknown option -z/);
  refused(['-bz'], /unknown option -z/);
  refused(['--=x'], /unknown option --/);
});

test('a missing value and an unwanted one are refused', () => {
  refused(['-D'], /-D needs a value/, /-D DIR/);
  refused(['--machine'], /--machine needs a value/, /--machine=NAME/);
  refused(['--boot=yes'], /--boot takes no value/);
});

test('an optional value is only taken when it is attached', () => {
  const invocation = parseArguments(['--dry-run', 'json'], {});
  assert.is(invocation.kind === 'launch' && invocation.dryRun, 'text');
  assert.equal(invocation.kind === 'launch' && invocation.spec.command, ['json']);
  const json = parseArguments(['--dry-run=json'], {});
  assert.is(json.kind === 'launch' && json.dryRun, 'json');
  assert.is(spec('--volatile').volatile, 'yes');
  assert.is(spec('--volatile=no').volatile, 'no');
  assert.is(spec('--suppress-sync', 'yes', 'true').suppressSync, true);
});

test('--help, --version and help as a value answer at once, before later mistakes', () => {
  assert.equal(parseArguments(['-h', '--nonsense'], {}), { kind: 'help' });
  assert.equal(parseArguments(['--version'], {}), { kind: 'version' });
  assert.equal(parseArguments(['--kill-signal=help'], {}), { kind: 'list', list: 'signals' });
  assert.equal(parseArguments(['--console=help', '--nonsense'], {}), { kind: 'list', list: 'consoles' });
  assert.equal(parseArguments(['--drop-capability', 'help'], {}), { kind: 'list', list: 'capabilities' });
  assert.equal(parseArguments(['--rlimit=help'], {}), { kind: 'list', list: 'limits' });
  assert.equal(parseArguments(['--private-users-ownership=help'], {}), { kind: 'list', list: 'ownerships' });
  refused(['--nonsense', '-h'], /unknown option/);
});

test('an option that is given twice: the last one counts, lists grow', () => {
  assert.is(spec('-M', 'one', '-M', 'two').machine, 'two');
  assert.is(spec('--console=passive', '-P').console, 'pipe');
  assert.equal(spec('-EA=1', '-E', 'B').env, [{ name: 'A', value: '1' }, { name: 'B' }]);
  assert.equal(spec('--capability=net_admin', '--capability=CAP_SYS_TIME,all').addCapabilities, [
    'net_admin',
    'sys_time',
    'all',
  ]);
});

test('--boot and --as-pid2 exclude each other', () => {
  refused(['-b', '-a'], /--boot and --as-pid2 exclude each other/);
});

test('--register takes a boolean or auto, and nothing else', () => {
  spec('--register=no', '--keep-unit');
  spec('--register=auto');
  refused(['--register=perhaps'], /bad value 'perhaps' for --register/);
});

test('variables of systemd-nspawn users are understood', () => {
  assert.is(specIn({ SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: 'no' }).unifiedCgroup, false);
  assert.is(specIn({ SYSTEMD_NSPAWN_TMPFS_TMP: '0' }).tmpfsTmp, false);
  assert.is(specIn({ SYSTEMD_SUPPRESS_SYNC: '1' }, '--suppress-sync=no').suppressSync, false);
  assert.throws(
    () => specIn({ SYSTEMD_NSPAWN_TMPFS_TMP: 'maybe' }),
    /'maybe' for the variable SYSTEMD_NSPAWN_TMPFS_TMP/,
  );
});

test('SYSTEMD_NSPAWN_CONTAINER_SERVICE is what the guest takes its manager for, and a single word', () => {
  const guest = view(specIn({ SYSTEMD_NSPAWN_CONTAINER_SERVICE: 'systemd-nspawn' }), host(), tree());
  assert.ok(guest.environment.some(({ name, value }) => name === 'container' && value === 'systemd-nspawn'));
  const file = guest.entries.find(({ path }) => path === '/run/host/container-manager');
  assert.is(file?.kind === 'file' && file.content, 'systemd-nspawn\n');
  for (const value of ['', 'two words', 'a\nb'])
    assert.throws(
      () => specIn({ SYSTEMD_NSPAWN_CONTAINER_SERVICE: value }),
      /SYSTEMD_NSPAWN_CONTAINER_SERVICE: not a word/,
    );
});

test('SYSTEMD_NSPAWN_SHARE_SYSTEM stands for the three of SYSTEMD_NSPAWN_SHARE_NS_*', () => {
  assert.equal(specIn({ SYSTEMD_NSPAWN_SHARE_SYSTEM: '1' }).sharedNamespaces, ['ipc', 'pid', 'uts']);
  assert.equal(specIn({ SYSTEMD_NSPAWN_SHARE_NS_UTS: 'yes' }).sharedNamespaces, ['uts']);
});

test('SYSTEMD_LOG_LEVEL above info is as quiet as --quiet', () => {
  const quiet = (level: string) => {
    const invocation = parseArguments([], { SYSTEMD_LOG_LEVEL: level });
    return invocation.kind === 'launch' && invocation.quiet;
  };
  assert.equal(['warning', '4', 'err', 'info', 'debug', '7', ''].map(quiet), [
    true,
    true,
    true,
    false,
    false,
    false,
    false,
  ]);
});

test('-x --template=P without a tree of its own is -x -D P', () => {
  const { directory, template, ephemeral } = spec('-x', '--template=/p');
  assert.equal([directory, template, ephemeral], ['/p', undefined, true]);
});

test('every row of the table has a name of its own, a help text, and what its kind of value needs', () => {
  const names = OPTIONS.flatMap((row) =>
    [row.long, ...(row.also ?? []), row.short].filter((name) => name !== undefined),
  );
  assert.is(new Set(names).size, names.length);
  for (const row of OPTIONS) {
    assert.ok(row.help.length > 0 && !row.help.endsWith('.'), row.long);
    assert.is('metavar' in row, row.takes !== 'nothing', `metavar of ${row.long}`);
    if (row.takes !== 'required') assert.ok('implied' in row, `implied value of ${row.long}`);
  }
});

test.run();
