// The files of the host that may go into the guest. They are the host's, but whoever wrote them may have made a mistake: they are
// read up to a limit, and a FIFO in their place is none.

import { type HostFacts, LOCALTIME, RESOLVER_FILES, type ResolverFile } from '@tsnspawn/core';
import { addon } from '@tsnspawn/native';
import { linkTarget } from './host';

const MOST_BYTES = 1024 * 1024;

/** Where systemd-resolved answers: 127.0.0.53, port 53, as /proc/net/udp writes it on a little-endian machine. */
const STUB_ADDRESS = ' 3500007F:0035 ';

/** The content of a regular file, a character for each byte; undefined where there is none, or it is too large. */
function contentOf(path: string): string | undefined {
  const content = addon().readFile(path, MOST_BYTES);
  return typeof content === 'number' ? undefined : content.toString('latin1');
}

/** Calls the function when its value is first asked after. */
function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

/** Name servers and time zone of the host; nothing is read before it is asked after, and nothing twice. */
export function hostFiles(): Pick<HostFacts, 'resolver' | 'localtime'> {
  const file = (what: ResolverFile): (() => string | undefined) => once(() => contentOf(RESOLVER_FILES[what]));
  const [host, fixed, uplink, stub] = [file('host'), file('static'), file('uplink'), file('stub')];
  return {
    resolver: {
      get host() {
        return host();
      },
      get static() {
        return fixed();
      },
      get uplink() {
        return uplink();
      },
      get stub() {
        return stub();
      },
      get stubListens() {
        return addon().readText('/proc/net/udp')?.includes(STUB_ADDRESS) ?? false;
      },
    },
    localtime: localtime(),
  };
}

function localtime(): HostFacts['localtime'] {
  const link = linkTarget(LOCALTIME);
  const content = once(() => contentOf(LOCALTIME));
  if (link === undefined && content() === undefined) return undefined;
  return {
    link,
    get content() {
      return content();
    },
  };
}
