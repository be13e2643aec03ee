// What scripts/portable does once everything is built. The archive holds one directory, which works wherever it is unpacked:
//   tsnspawn      starts bin/node by the loader in lib/, for the host's may be too old
//   bin/node      cli/ native/ as in packages/      lib/ the C library and what else Node is linked to      licences/
// The same files make the same archive: names are sorted, times and owners fixed.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { packLicences } from './portable-licences.mjs';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

const NAME = 'tsnspawn-portable';
const LOADER = 'ld-linux-x86-64.so.2';
/** Debian packages: the C library and those of C++, and for their licences. */
const PACKAGES = ['libc6', 'libgcc-s1', 'libstdc++6', 'gcc-14-base', 'base-files', 'libseccomp2'];
/** Loaded by name when users or hosts are looked up; the others belong to the host. */
const BY_NAME = ['libnss_compat.so.2', 'libnss_dns.so.2', 'libnss_files.so.2', 'libresolv.so.2'];

/** Without a program of the host's, but where it is called by way of a link. */
const START = `#!/bin/sh
# Starts tsnspawn with the Node and the C library beside this script, wherever they are.
here=$0
while [ -h "$here" ]; do
  link=$(readlink "$here") || exit 1
  case $link in
    /*) here=$link ;;
    *) here=\${here%/*}/$link ;;
  esac
done
case $here in
  */*) here=\${here%/*} ;;
  *) here=. ;;
esac
here=$(cd "\${here:-/}" && pwd -P) || exit 1
exec "$here/lib/${LOADER}" --inhibit-cache --library-path "$here/lib" "$here/bin/node" "$here/cli/bin/tsnspawn.cjs" "$@"
`;

const { values, positionals } = parseArgs({
  options: {
    // what relative paths start from
    from: { type: 'string', default: process.cwd() },
    node: { type: 'string', default: process.execPath },
    suite: { type: 'string', default: 'trixie' },
  },
  allowPositionals: true,
});
const node = fs.realpathSync(resolve(values.from, values.node));
const output =
  positionals[0] === undefined ? resolve(`build/${NAME}-x86_64.tar.xz`) : resolve(values.from, positionals[0]);
/** What the command is made of, and what it looks for beside its addon. */
const command = ['cli/bin', 'cli/dist', 'native/build']
  .flatMap((dir) => fs.readdirSync(join('packages', dir)).map((name) => join('packages', dir, name)))
  .filter((file) => /\.(cjs|image|node)$|\/tsnspawn-\w+$/.test(file))
  .sort();

const stamp = `build/stamps/portable-${createHash('sha256').update(output).digest('hex').slice(0, 16)}`;
const now = fingerprint([node, 'scripts/portable.mjs', 'scripts/portable-licences.mjs', ...command]);
if (!fs.existsSync(output) || !fs.existsSync(stamp) || fs.readFileSync(stamp, 'utf8') !== now) {
  await make().catch((error) => {
    console.error(`portable: ${error.message}`);
    process.exit(1);
  });
  fs.mkdirSync(dirname(stamp), { recursive: true });
  fs.writeFileSync(stamp, now);
}
console.log(output);

async function make() {
  if (process.arch !== 'x64') throw new Error('only x86_64 has a portable archive');
  const { libraryClosure, unpackOnly } = await import('@tsnspawn/rootfs');
  fs.mkdirSync('build', { recursive: true });
  const work = fs.mkdtempSync('build/portable-');
  try {
    const debian = join(work, 'debian');
    const top = join(work, NAME);
    fs.mkdirSync(debian);
    for (const dir of ['bin', 'lib', 'licences']) fs.mkdirSync(join(top, dir), { recursive: true });
    const versions = await unpackOnly({
      suite: values.suite,
      packages: PACKAGES,
      directory: debian,
      architecture: 'amd64',
    });
    fs.copyFileSync(node, join(top, 'bin/node'));
    const packed = join(debian, 'usr/lib/x86_64-linux-gnu');
    const { files, missing } = libraryClosure([node]);
    for (const [library, needs] of missing) throw new Error(`cannot find ${library}, which ${needs} needs`);
    for (const name of new Set([LOADER, ...BY_NAME, ...[...files].map((file) => basename(file))])) {
      const ours = join(packed, name);
      // what a distribution has Node linked to besides comes from this host
      const from = fs.existsSync(ours) ? ours : [...files].find((file) => basename(file) === name);
      fs.copyFileSync(from, join(top, 'lib', name));
    }
    for (const file of command) {
      const to = join(top, file.slice('packages/'.length));
      fs.mkdirSync(dirname(to), { recursive: true });
      fs.copyFileSync(file, to);
    }
    fs.writeFileSync(join(top, 'tsnspawn'), START, { mode: 0o755 });
    packLicences({ node, debian, versions, to: join(top, 'licences') });
    archive(work);
  } finally {
    fs.rmSync(work, { recursive: true });
  }
}

function archive(work) {
  const pack = [
    ...['tar', '-c', '--format=ustar', '--sort=name', '--owner=0', '--group=0', '--numeric-owner'],
    ...['--mode=u=rwX,go=rX', `--mtime=@${process.env.SOURCE_DATE_EPOCH ?? 1577836800}`, '-C', work, NAME],
  ];
  // Another number of threads would make other blocks, and so another archive. More effort hardly makes it smaller.
  const script = '"$@" | xz -2 -T2 > "$OUTPUT.new" && mv "$OUTPUT.new" "$OUTPUT"';
  const { status } = spawnSync('sh', ['-c', script, 'sh', ...pack], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, OUTPUT: output },
  });
  if (status !== 0) throw new Error(`cannot write ${output}`);
}

function fingerprint(inputs) {
  const hash = createHash('sha256').update(values.suite);
  for (const file of inputs) hash.update(`${file}\0`).update(fs.readFileSync(file));
  return hash.digest('hex');
}
