// Makes the image that packages/cli/bin/tsnspawn.cjs starts from: the launch bundle with its byte code. V8 compiles a function
// when it is first called, so the launch path is walked once on an empty tree, up to the call of the addon that would start the
// guest. Where root is needed for that, which a build is not, a dry run and the encoder still walk most of it.

const { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { compile, run, dist } = require('../packages/cli/bin/tsnspawn.cjs');

/** Options that are given often, and what reads their values. */
const COMMON = [
  '--machine=image',
  '--read-only',
  '--tmpfs=/var',
  '--bind=/usr:/srv',
  '--bind-ro=/usr:/opt',
  '--chdir=/srv',
  '--setenv=A=1',
  '--rlimit=NOFILE=512:1024',
  '--drop-capability=CAP_NET_RAW',
  '--no-new-privileges=yes',
  '--oom-score-adjust=1',
  '--cpu-affinity=0',
  '--kill-signal=SIGTERM',
  '--resolv-conf=off',
  '--link-journal=no',
];

/** The addon without what changes the host, or takes the place of this process. */
function harmless(addon) {
  return { ...addon, takeLockFiles: () => [], supervise: () => undefined };
}

async function main() {
  const open = process.dlopen;
  process.dlopen = (module, ...rest) => {
    open.call(process, module, ...rest);
    module.exports = harmless(module.exports);
  };
  const tree = mkdtempSync(join(tmpdir(), 'tsnspawn-image-'));
  try {
    mkdirSync(join(tree, 'usr'));
    const source = readFileSync(join(dist, 'tsnspawn.cjs'), 'latin1');
    const script = compile(source);
    const bundle = run(script);
    const walk = (...options) => {
      let text = '';
      const output = { out: (more) => (text += more), err: (more) => (text += more) };
      const words = ['-q', '-D', tree, '--pipe', ...options, '/bin/true'];
      return bundle.launch(words, process.env, output).then((status) => ({ status, text }));
    };
    if (process.geteuid() === 0) await walk();
    await walk('--dry-run=json', ...COMMON);
    const { status, text: plan } = await walk('--dry-run=json');
    if (status !== 0) {
      process.stderr.write(plan);
      return status;
    }
    bundle.encodePlan(JSON.parse(plan), () => new Uint8Array(8));
    const length = Buffer.alloc(4);
    length.writeUInt32LE(source.length);
    // V8 compares little more than the length of a source with its byte code: the two travel in one file, renamed into place.
    const image = join(dist, 'tsnspawn.image');
    writeFileSync(`${image}.new`, Buffer.concat([length, Buffer.from(source, 'latin1'), script.createCachedData()]));
    renameSync(`${image}.new`, image);
    return 0;
  } finally {
    rmSync(tree, { recursive: true });
  }
}

main().then((status) => {
  process.exitCode = status;
});
