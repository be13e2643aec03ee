// Bytes from an archive, over http, https or from a local directory. Nothing here is trusted: a redirect may lead
// anywhere, and what arrives counts only once its size and SHA256 were checked (download.ts).
import * as fs from 'node:fs';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import createDebug from 'debug';
import type { Dispatcher } from 'undici';
import { BootstrapError, errorCode, reasonOf } from '../errors';

const debug = createDebug('tsnspawn:bootstrap:fetch');

/** The answer to a request that found something. */
export interface Reply {
  readonly body: Readable;
  /** What the server says the size is; a hint for progress, never a promise. */
  readonly length: number | undefined;
}

/** A file that is not there, as opposed to a mirror that cannot be reached. */
export class NotFoundError extends BootstrapError {
  constructor(url: string, detail: string) {
    super('FETCH_FAILED', `cannot fetch ${displayUrl(url)}: ${detail}`, { path: displayUrl(url) });
    this.name = 'NotFoundError';
  }
}

const CONNECTIONS = 12;
const ATTEMPTS = 3;
const TRANSIENT = new Set([
  'ECONNRESET',
  'EPIPE',
  'EAI_AGAIN',
  'ETIMEDOUT',
  'UND_ERR_SOCKET',
  'UND_ERR_BODY_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'HPE_INVALID_EOF_STATE',
  'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
]);

/** A mirror given as a path or URL, as a URL without a slash at its end. */
export function mirrorUrl(mirror: string): string {
  if (mirror.startsWith('/') || mirror.startsWith('./') || mirror.startsWith('../'))
    return pathToFileURL(mirror).href.replace(/\/+$/, '');
  let url: URL;
  try {
    url = new URL(mirror);
  } catch {
    throw new BootstrapError(
      'OPTION_INVALID',
      `cannot use the mirror ${mirror}: it is neither a URL nor an absolute path`,
      {
        hint: 'write it like https://HOST/debian or /srv/mirror/debian',
      },
    );
  }
  if (!['http:', 'https:', 'file:'].includes(url.protocol)) {
    throw new BootstrapError(
      'OPTION_INVALID',
      `cannot use the mirror ${displayUrl(mirror)}: mirrors are reached by http, https or file`,
    );
  }
  return mirror.replace(/\/+$/, '');
}

/** A URL fit for messages and files: without user name and password. */
export function displayUrl(url: string): string {
  return url.replace(/^(\w+:\/\/)[^/@]*@/, '$1');
}

/** A place to fetch from; made once per bootstrap so that connections are shared. */
export class Transport {
  readonly #signal: AbortSignal;
  readonly #proxy: string | undefined;
  #dispatcher: Promise<Dispatcher> | undefined;

  constructor(options: { readonly signal: AbortSignal; readonly proxy?: string | undefined }) {
    this.#signal = options.signal;
    this.#proxy = options.proxy;
  }

  /** Call `use` with the file's bytes, again after a transient failure. `use` must start anew each time. */
  async get<T>(url: string, use: (reply: Reply) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      this.#signal.throwIfAborted();
      try {
        return await use(await this.#open(url));
      } catch (error) {
        if (error instanceof BootstrapError && !(error instanceof ServerBusy)) throw error;
        if (this.#signal.aborted) throw this.#signal.reason;
        const code = errorCode(error);
        const transient = error instanceof ServerBusy || (code !== undefined && TRANSIENT.has(code));
        debug('%s: attempt %d: %s', displayUrl(url), attempt, code ?? error);
        if (transient && attempt < ATTEMPTS) {
          await sleep(250 * attempt * attempt, undefined, { signal: this.#signal });
          continue;
        }
        if (error instanceof BootstrapError) throw error;
        if (code === 'ENOSPC' || code === 'EDQUOT') throw error;
        throw new BootstrapError('MIRROR_UNREACHABLE', `cannot fetch ${displayUrl(url)}: ${reasonOf(error)}`, {
          path: displayUrl(url),
          hint: url.startsWith('file:') ? undefined : 'check the network, or name another mirror behind the directory',
          cause: error,
        });
      }
    }
  }

  async close(): Promise<void> {
    await (await this.#dispatcher)?.destroy();
  }

  async #open(url: string): Promise<Reply> {
    if (url.startsWith('file:')) return openLocal(url);
    const { request } = await import('undici');
    this.#dispatcher ??= makeDispatcher(this.#proxy);
    const reply = await request(url, {
      dispatcher: await this.#dispatcher,
      signal: this.#signal,
      maxRedirections: 5,
      headers: { 'user-agent': 'tsnspawn', 'accept-encoding': 'identity' },
    });
    const status = reply.statusCode;
    if (status === 200) {
      const length = Number(reply.headers['content-length']);
      return { body: reply.body, length: Number.isSafeInteger(length) ? length : undefined };
    }
    await reply.body.dump().catch(() => undefined);
    if (status === 404 || status === 410) throw new NotFoundError(url, `the mirror does not have it (HTTP ${status})`);
    if (status === 408 || status === 429 || status >= 500) throw new ServerBusy(url, status);
    throw new BootstrapError('FETCH_FAILED', `cannot fetch ${displayUrl(url)}: the mirror answers HTTP ${status}`, {
      path: displayUrl(url),
    });
  }
}

class ServerBusy extends BootstrapError {
  constructor(url: string, status: number) {
    super('MIRROR_UNREACHABLE', `cannot fetch ${displayUrl(url)}: the mirror answers HTTP ${status}`, {
      path: displayUrl(url),
      hint: 'try again later, or name another mirror',
    });
  }
}

async function makeDispatcher(proxy: string | undefined): Promise<Dispatcher> {
  const { Agent, EnvHttpProxyAgent, ProxyAgent } = await import('undici');
  const limits = {
    connections: CONNECTIONS,
    connect: { timeout: 15_000 },
    headersTimeout: 30_000,
    bodyTimeout: 30_000,
  };
  const environment =
    process.env.http_proxy ?? process.env.HTTP_PROXY ?? process.env.https_proxy ?? process.env.HTTPS_PROXY;
  if (environment) return new EnvHttpProxyAgent(limits);
  return proxy === undefined ? new Agent(limits) : new ProxyAgent({ uri: proxy, ...limits });
}

function openLocal(url: string): Reply {
  const path = fileURLToPath(url);
  try {
    const descriptor = fs.openSync(path, 'r');
    return {
      body: fs.createReadStream('', { fd: descriptor, highWaterMark: 1 << 18 }),
      length: fs.fstatSync(descriptor).size,
    };
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') throw new NotFoundError(url, 'no such file');
    throw new BootstrapError('FETCH_FAILED', `cannot read ${path}: ${reasonOf(error)}`, { path, cause: error });
  }
}
