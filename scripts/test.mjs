// Compiles the test files with one esbuild call and runs each in a process of its own, several at a time.
// usage: node scripts/test.mjs [PART-OF-A-PATH]...
// The last line is the verdict: N passed, N failed. With TSNSPAWN_MUST_WORK=1 a skipped test is a failed one.

import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

const containersAtOnce = 2; // each of them is a machine that boots: more would only make each other late
const mustWork = process.env.TSNSPAWN_MUST_WORK === '1';

function findTests() {
  return readdirSync('test', { recursive: true })
    .map((file) => join('test', file))
    .filter((file) => file.endsWith('.test.ts') && (asked.length === 0 || asked.some((part) => file.includes(part))))
    .sort((a, b) => Number(isContainer(b)) - Number(isContainer(a)) || a.localeCompare(b)); // the slow ones first
}

const isContainer = (file) => file.startsWith('test/container/');
const compiled = (file) => join('build', file.replace(/\.ts$/, '.cjs'));

async function compile(files) {
  const { outputFiles } = await build({
    entryPoints: files,
    outbase: 'test',
    outdir: 'build/test',
    outExtension: { '.js': '.cjs' },
    bundle: true,
    packages: 'external', // the tests run what was built, and find it through node_modules like everyone else
    external: ['./image.cjs', './oci.cjs', './refusal.cjs'], // what the launch path loads on demand
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    sourcemap: 'inline',
    logLevel: 'warning',
    write: false,
  });
  // A file that did not change is left alone: another run may be reading it.
  for (const { path, contents } of outputFiles) {
    if (existsSync(path) && readFileSync(path).equals(contents)) continue;
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, contents);
  }
}

const running = new Map(); // child → its test file
/** Each test leads a process group of its own, so that what it started can be ended with it and nothing else is. */
function end(child, signal) {
  try {
    process.kill(-child.pid, signal);
  } catch {}
}
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    for (const child of running.keys()) end(child, signal);
    process.kill(process.pid, signal);
  });
}

function run(file) {
  const started = process.hrtime.bigint();
  const limit = isContainer(file) ? 600 : 60;
  const child = spawn(process.execPath, ['--enable-source-maps', compiled(file)], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.set(child, file);
  const output = [];
  child.stdout.on('data', (data) => output.push(data));
  child.stderr.on('data', (data) => output.push(data));
  const notes = [];
  const timer = setTimeout(() => {
    notes.push(`took longer than ${limit} s`);
    end(child, 'SIGTERM');
    setTimeout(() => end(child, 'SIGKILL'), 5000).unref();
  }, limit * 1000);
  return new Promise((resolve) => {
    child.on('exit', () => {
      clearTimeout(timer);
      // Whoever still holds the pipes was started by the test and forgotten.
      const leftover = setTimeout(() => {
        notes.push('left a process behind');
        end(child, 'SIGKILL');
        child.stdout.destroy();
        child.stderr.destroy();
      }, 3000);
      child.on('close', () => clearTimeout(leftover));
    });
    child.on('close', (code, signal) => {
      running.delete(child);
      const seconds = Number(process.hrtime.bigint() - started) / 1e9;
      resolve({ file, seconds, ...judge(code, signal, Buffer.concat(output).toString(), notes) });
    });
  });
}

/** Reads uvu's summary. Whatever is out of order counts as at least one failure. */
function judge(code, signal, output, notes) {
  const summaries = [...output.matchAll(/^ {2}Total: +(\d+)\s+Passed: +(\d+)\s+Skipped: +(\d+)/gm)];
  const [total, passed, skipped] = (summaries.at(-1) ?? [0, 0, 0, 0]).slice(1).map(Number);
  if (summaries.length === 0) notes.push('ended without a summary');
  else if (total + skipped === 0) notes.push('holds no test');
  if (signal) notes.push(`killed by ${signal}`);
  else if (code !== 0 && total === passed) notes.push(`exit status ${code}`);
  const reasons = [...output.matchAll(/^SKIP: (.*)$/gm)].map((match) => match[1]);
  while (reasons.length < skipped) reasons.push('(a test without a stated reason)');
  return { passed, failed: Math.max(total - passed, notes.length > 0 ? 1 : 0), skipped, reasons, notes, output };
}

function report({ file, seconds, passed, failed, skipped, notes, output }) {
  const verdict = failed > 0 || (mustWork && skipped > 0) ? 'FAIL' : ' ok ';
  const counts = [`${passed} passed`, failed && `${failed} failed`, skipped && `${skipped} skipped`, ...notes];
  const name = file.slice('test/'.length, -'.test.ts'.length).padEnd(40);
  console.log(`${verdict} ${name} ${seconds.toFixed(2).padStart(7)} s  ${counts.filter(Boolean).join(', ')}`);
  if (failed > 0) console.log(output.replace(/^/gm, '     '));
}

const asked = process.argv.slice(2);
const files = findTests();
if (files.length === 0) {
  console.error(`test: no test file matches ${asked.join(' ')}`);
  process.exit(1);
}
await compile(files);

const results = [];
const containersRunning = () => [...running.values()].filter(isContainer).length;
async function worker() {
  for (;;) {
    const next = files.findIndex((file) => !isContainer(file) || containersRunning() < containersAtOnce);
    if (next < 0) return;
    const result = await run(...files.splice(next, 1));
    results.push(result);
    report(result);
  }
}
await Promise.all(cpus().map(worker));

const sum = (key) => results.reduce((total, result) => total + result[key], 0);
const reasons = results.flatMap(({ file, reasons }) => reasons.map((reason) => `  ${file}: ${reason}`));
if (reasons.length > 0) console.log(`skipped${mustWork ? ', but must work here' : ''}:\n${reasons.sort().join('\n')}`);
const failed = sum('failed') + (mustWork ? sum('skipped') : 0);
const skipped = mustWork ? 0 : sum('skipped');
console.log(`${sum('passed')} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
process.exitCode = failed > 0 ? 1 : 0;
