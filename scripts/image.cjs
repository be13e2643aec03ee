// Makes the image that packages/cli/bin/tsnspawn.cjs starts from: the launch bundle with its byte code. V8 compiles a function
// when it is first called, so the launch path is walked once, as far as that goes without starting anything: a dry run on an
// empty tree, and the encoder.

const { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { compile, run, dist } = require('../packages/cli/bin/tsnspawn.cjs');

async function main() {
  const tree = mkdtempSync(join(tmpdir(), 'tsnspawn-image-'));
  try {
    mkdirSync(join(tree, 'usr'));
    const source = readFileSync(join(dist, 'tsnspawn.cjs'), 'latin1');
    const script = compile(source);
    const bundle = run(script);
    let plan = '';
    const output = { out: (text) => (plan += text), err: (text) => process.stderr.write(text) };
    const status = await bundle.launch(
      ['-q', '-D', tree, '--pipe', '--dry-run=json', '/bin/true'],
      process.env,
      output,
    );
    if (status !== 0) return status;
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
