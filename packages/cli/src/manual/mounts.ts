// The manual of the options that mount something into the container.

export const MOUNTS_MANUAL = {
  bind: `
Shows the file or directory *SRC* of the host at the path *DST* of the container, by default at its own. *SRC* may be relative to the current directory; with \`+\` before it, it is a path of the tree; empty, it is a new directory below */var/tmp* of the host that is removed at the end. A *SRC* that does not exist is an error before anything is started. *DST* is made when it is missing.

*OPTS*, between commas: \`rbind\` (the default) with all that is mounted below *SRC*, \`norbind\` without; and for containers with a user namespace \`noidmap\` (the default) for the ids on the disk, \`idmap\` for the ids of the container, \`rootidmap\` for a *SRC* whose owner is to be the container's root, \`owneridmap\` for one whose owner is to be the owner of *DST*.

A backslash before a colon makes it part of a path. What the host mounts below *SRC* later arrives in the container. All mounts of this and the following options are made in the order of their destinations; of two with the same destination the later one lies on top.`,

  'bind-ro': `
As \`--bind\`, but nothing can be changed through it, below the mounts that it contains neither.`,

  tmpfs: `
Mounts an empty file system in memory at *PATH*. *OPTS* are options of mount(8) for tmpfs, such as \`size=10%,mode=1777\`; without them it is \`mode=0755\`. Device nodes in it have no effect.`,

  overlay: `
Joins the directories of the host to one tree and mounts it at *DST*: files of a later directory hide those of an earlier one. The last but one, *UPPER*, takes what is written; when it is empty, a temporary directory that is removed at the end. Of two paths the second is both *UPPER* and *DST*. A path with \`+\` before it is a path of the tree.

The directory that the overlay needs for its work is made beside *UPPER*, and removed.`,

  'overlay-ro': `
As \`--overlay\`, but all directories are only read.`,

  inaccessible: `
Covers *PATH*, which must exist, by an empty node of the same kind that nobody may open.`,

  proc: `
\`read-only\` makes all of */proc* read-only. By default only those parts of it are that reach beyond the container, because an init writes to others. For payloads that are no init.`,
} as const;
