import { cleanHostname, parseArguments, UsageError } from '@tsnspawn/core';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { spec } from './fixtures';

/** Each value is refused with an error that names the option and the value. */
function refuses(option: string, values: readonly string[], reason?: RegExp): void {
  for (const value of values) {
    try {
      parseArguments([`${option}=${value}`], {});
      assert.unreachable(`accepted ${option}=${value}`);
    } catch (error) {
      assert.instance(error, UsageError, `${option}=${value}: ${error}`);
      const { message } = error as UsageError;
      assert.ok(message.startsWith(`bad value '${value}' for ${option}: `), message);
      if (reason !== undefined) assert.match(message, reason);
    }
  }
}

test('booleans are those of systemd, in any case', () => {
  for (const yes of ['1', 'yes', 'Y', 'true', 't', 'On'])
    assert.is(spec(`--notify-ready=${yes}`).notifyReady, true, yes);
  for (const no of ['0', 'no', 'N', 'false', 'f', 'OFF'])
    assert.is(spec(`--notify-ready=${no}`).notifyReady, false, no);
  refuses('--notify-ready', ['', '2', 'yess'], /neither yes nor no/);
});

test('machine and host names follow the rules of host names', () => {
  for (const name of ['a', 'web-1', 'a.b', '12.5', 'x'.repeat(64)]) assert.is(spec(`--machine=${name}`).machine, name);
  refuses('--machine', ['', '-a', 'a-', 'a..b', '.a', 'a.', 'a b', 'a/b', 'x'.repeat(65)]);
  refuses('--hostname', ['ö']);
});

test('a uuid is 32 hex digits or dashed, and not all zero', () => {
  const plain = '0123456789abcdef0123456789abcdef';
  assert.is(spec(`--uuid=${plain.toUpperCase()}`).uuid, plain);
  assert.is(spec('--uuid=01234567-89ab-cdef-0123-456789abcdef').uuid, plain);
  refuses('--uuid', ['', '123', `${plain}0`, '0'.repeat(32), '0123456-789ab-cdef-0123-456789abcdef']);
});

test('a working directory is absolute, plain and not in an api file system', () => {
  assert.is(spec('--chdir=/srv/x/').chdir, '/srv/x');
  assert.is(spec('--chdir=/processes').chdir, '/processes');
  refuses('--chdir', ['', 'srv', '/a/../b', '/a/./b', '/a//b', '/proc', '/sys/kernel', '/dev/']);
});

test('a user is a name or a number that the kernel can take', () => {
  for (const user of ['root', '0', '1000', 'www-data', 'user.name', '4294967294'])
    assert.is(spec(`--user=${user}`).user, user);
  refuses('--user', ['', '65535', '4294967295', '99999999999', 'a:b', 'a/b', 'a b', '-x']);
});

test('a variable needs a valid name, and its value may hold anything', () => {
  assert.equal(spec('-E', 'A=b=c').env, [{ name: 'A', value: 'b=c' }]);
  assert.equal(spec('-E', 'EMPTY=').env, [{ name: 'EMPTY', value: '' }]);
  refuses('--setenv', ['', '=x', '1A=x', 'A-B=x']);
});

test('a bind is SRC, SRC:DST or SRC:DST:OPTS with escaped colons', () => {
  const [mount] = spec('--bind=/a\\:b:/c\\:d:norbind').mounts;
  assert.equal(mount, {
    kind: 'bind',
    source: { path: '/a:b', inTree: false },
    readOnly: false,
    recursive: false,
    ids: 'none',
    destination: '/c:d',
  });
  assert.equal(spec('--bind=rel').mounts[0], {
    kind: 'bind',
    source: { path: 'rel', inTree: false },
    readOnly: false,
    recursive: true,
    ids: 'none',
  });
  const [inTree] = spec('--bind-ro=+/usr/share:/mnt').mounts;
  assert.ok(inTree?.kind === 'bind' && inTree.readOnly);
  assert.equal(inTree.source, { path: '/usr/share', inTree: true });
});

test('a bind that cannot be meant is refused', () => {
  refuses('--bind', ['', ':', '/a:rel', '/a:/b/../c', '/a:/', '/', '+usr:/x', '+/../x:/y', '/a:/b:rbind:more']);
  refuses('--bind', ['/a:/b:idmapped'], /unknown bind option idmapped/);
  refuses('--tmpfs', ['', 'rel', '/', '/a/../b']);
});

test('signals are names with or without SIG, numbers, and places in the real-time range', () => {
  const signals = {
    TERM: 15,
    SIGTERM: 15,
    sigterm: 15,
    '9': 9,
    'RTMIN+3': 37,
    'SIGRTMIN+3': 37,
    RTMIN: 34,
    'RTMAX-1': 63,
  };
  for (const [text, number] of Object.entries(signals))
    assert.is(spec(`--kill-signal=${text}`).killSignal, number, text);
  refuses('--kill-signal', ['', '0', '65', 'NOPE', 'RTMIN-1', 'RTMAX+1', 'RTMIN+31', '1.5'], /no such signal/);
});

test('limits know their units, infinity, and soft values up to the hard one', () => {
  assert.equal(spec('--rlimit=NOFILE=10', '--rlimit=RLIMIT_STACK=8M:infinity', '--rlimit=NICE=-5').rlimits, {
    NOFILE: { soft: 10, hard: 10 },
    STACK: { soft: 8388608, hard: 'infinity' },
    NICE: { soft: 25, hard: 25 },
  });
  refuses('--rlimit', [
    'NOFILE',
    'NOFILE=',
    'nofile=1',
    'FOO=1',
    'NOFILE=2:1',
    'NOFILE=infinity:1',
    'NOFILE=1K',
    'CORE=-1',
  ]);
});

test('counts are read as systemd reads them: with prefixes for other bases, a sign, and blanks before', () => {
  for (const [text, value] of Object.entries({ '0x10': 16, '010': 8, '0o17': 15, '0b11': 3, '+5': 5, ' 5': 5, '0': 0 }))
    assert.equal(spec(`--rlimit=NOFILE=${text}`).rlimits.NOFILE, { soft: value, hard: value }, text);
});

test('sizes may have fractions, units up to E, and several of them; times those of systemd.time(7)', () => {
  const sizes = { '1K': 1024, '1.5M': 1572864, '1 K': 1024, '1B': 1, '1M 1K': 1049600, '8E': 2 ** 63, '0': 0 };
  for (const [text, value] of Object.entries(sizes))
    assert.is(spec(`--rlimit=AS=${text}`).rlimits.AS?.soft, value, text);
  const seconds = { '5': 5, '1min': 60, '1h 1min': 3660, '1500ms': 2, '1ms': 1, '0.5': 1, infinity: 'infinity' };
  for (const [text, value] of Object.entries(seconds))
    assert.is(spec(`--rlimit=CPU=${text}`).rlimits.CPU?.soft, value, text);
  for (const [text, value] of Object.entries({ '1000': 1000, '5s': 5_000_000, '3 ms': 3000 }))
    assert.is(spec(`--rlimit=RTTIME=${text}`).rlimits.RTTIME?.soft, value, text);
});

test('a backslash takes away the meaning of what follows', () => {
  const sources = { '/a\\:b:/c': '/a:b', '/a\\\\b:/c': '/a\\b', '/a\\b:/c': '/ab' };
  for (const [text, path] of Object.entries(sources)) {
    const [mount] = spec(`--bind=${text}`).mounts;
    assert.equal(mount?.kind === 'bind' && mount.source, { path, inTree: false }, text);
  }
});

test('capabilities may be given by number', () => {
  assert.equal(spec('--capability=12,CAP_SYS_TIME,0x0').addCapabilities, ['net_admin', 'sys_time', 'chown']);
});

test('ports may be hexadecimal, and ids of a range may not', () => {
  assert.equal(spec('-n', '-p', '0x50:+81').network.ports, [{ protocol: 'tcp', host: 80, guest: 81 }]);
  assert.equal(spec('--private-users=65536:0x10').users, { mode: 'range', base: 65536, size: 16 });
});

test('the name that a tree gives to its machine is the one that systemd-nspawn gives', () => {
  const names = {
    a_b: 'ab',
    'a-.b': 'a-b',
    'a..b': 'a.b',
    '-a': 'a',
    '.a.': 'a',
    'a b': 'ab',
    '..x': 'x',
    'a-': 'a',
    ä: '',
  };
  for (const [directory, name] of Object.entries(names)) assert.is(cleanHostname(directory), name, directory);
});

test('the oom score adjustment goes from -1000 to 1000', () => {
  assert.is(spec('--oom-score-adjust=-1000').oomScoreAdjust, -1000);
  refuses('--oom-score-adjust', ['', '1001', '-1001', '1.5', 'x']);
});

test('words of a fixed set are refused with the set', () => {
  refuses('--console', ['tty', ''], /not one of interactive, read-only, passive, pipe, autopipe/);
  refuses('--personality', ['arm'], /x86, x86-64/);
  refuses('--dry-run', ['xml'], /text, json/);
  refuses('--capability', ['net_admin,bogus'], /no capability is named bogus/);
});

test.run();
