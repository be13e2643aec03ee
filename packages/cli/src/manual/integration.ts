// The manual of the options about what of the host's the container gets.

export const INTEGRATION_MANUAL = {
  'resolv-conf': `
How the container comes to its */etc/resolv.conf*. \`off\`: it keeps its own. \`copy-\`, \`replace-\` or \`bind-\` followed by \`host\` (the host's */etc/resolv.conf*), \`static\`, \`uplink\` or \`stub\` (those of systemd-resolved): written into the file, put in its place also where that is a link, or mounted on it. \`delete\`: removed.

\`auto\`, the default: nothing for a container with a network of its own; else the stub of systemd-resolved where that runs, else the host's file, copied where the tree can be written to and mounted where not. What nobody asked for by name fails in silence; a mode that is given must succeed, but for a file that the host does not have and a tree that is read-only, which are told. \`help\` lists the modes.`,

  timezone: `
How the container comes to its */etc/localtime*. \`off\`: it keeps its own. \`symlink\`: a link to the zone of the host, where the container has that zone; else as \`bind\`. \`copy\`: the file of the host is copied. \`bind\`: it is mounted there. \`delete\`: the file is removed, which means UTC.

\`auto\`, the default: \`symlink\` where the host has a link and the tree can be written to, else \`copy\` or \`bind\`. \`help\` lists the modes.`,

  'link-journal': `
Where the journal of the container lies, so that journalctl(1) on the host can read it: \`host\` on the host, in */var/log/journal/ID*, mounted into the container; \`guest\` in the container, with a link to it on the host; \`no\` in the container alone. \`try-host\` and \`try-guest\` do without where the host keeps no journal on disk. \`auto\`, the default: mounted where the directory exists on the host. Containers with the host's own machine id are refused.`,

  j: `
\`--link-journal=try-guest\`.`,

  'set-credential': `
Hands a credential to the container, see systemd.exec(5): \`ID\`, a colon and the data, in which backslash escapes are those of C. PID 1 finds the directory with the credentials in \`$CREDENTIALS_DIRECTORY\`; it is kept in memory, and only root may read it. May be given several times.`,

  'load-credential': `
As \`--set-credential\`, with the data from a file of the host, or from a socket that is connected to and read to its end. A *PATH* that is not absolute is one in the launcher's own \`$CREDENTIALS_DIRECTORY\`. May be given several times.`,
} as const;
