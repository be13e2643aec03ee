// The manual of the options about user namespaces, and users of the host.

export const USERS_MANUAL = {
  'private-users': `
Puts the container into a user namespace: its root is an ordinary user of the host, without any power over it. *MODE* says which ids of the host it gets:

\`yes\`, also the meaning of the option without a value: 65536 ids from the owner of the tree's root on, who must be the first of a range, user and group alike. \`pick\`: the range that the tree already belongs to, where it is free, else a free range that is derived from the machine's name; free is what no user of the host has, and none may map by subuid(5) or subgid(5). \`identity\`: the ids stay what they are on the host, but the capabilities count for nothing outside. \`managed\`, a range from systemd-nsresourced, is understood and refused. \`no\`: no user namespace, the default.

*BASE*: 65536 ids from this one on; \`:SIZE\` another number of them. With \`:1\` the container has root only, and users and owners are emulated and remembered. 0 and 1 are taken for ids here, not for \`no\` and \`yes\`.`,

  U: `
\`--private-users=pick\` together with \`--private-users-ownership=auto\`, on a kernel that has user namespaces; on others nothing.`,

  'private-users-ownership': `
How the files of the tree, owned by the ids from 0 on, come to belong to the ids of the user namespace. \`off\`: not at all; the tree already belongs to the range. \`chown\`: the tree is changed, once, file by file; a tree that is right already is only looked at. \`map\`: the tree is mounted with other ids than it has on the disk, where the file system can do that; nothing is changed. \`foreign\`, which needs systemd-mountfsd, is understood and refused. \`auto\`: \`map\` where it can be done, else \`chown\`.

The default is \`auto\` with \`pick\` and \`-U\`, else \`off\`. \`chown\` with base 0 takes an earlier \`chown\` back. \`help\` lists the modes.`,

  'private-users-chown': `
Another way to write \`--private-users-ownership=chown\`.`,

  'bind-user': `
Makes a user of the host known in the container: with the same name, a free id in the container, and the home directory of the host at */run/host/home/USER*, where it can be used as if it belonged to that id. Needs a user namespace. May be given several times, or with several names between commas.`,

  'bind-user-shell': `
The login shell of the users that \`--bind-user\` makes known: \`yes\` for the one they have on the host, a path for that one, \`no\`, the default, for the container's own default.`,

  'bind-user-group': `
Groups of the container, between commas, that the users of \`--bind-user\` become members of.`,
} as const;
