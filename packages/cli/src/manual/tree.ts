// The manual of the options that say which tree is started, and what it is called.

export const TREE_MANUAL = {
  directory: `
The directory that holds the operating system, absolute or relative to the current one. A symbolic link is followed.

Without \`--directory\`, \`--image\` and \`--oci-bundle\` it is the place of the machine that \`--machine\` names, and without that the current directory. The tree is locked while the machine runs: a second machine on it is refused, unless both only read. A directory that does not exist is an error, and nothing is made; see \`--template\`.`,

  image: `
A disk image, or a block device. It holds a GPT, whose partitions are found by their types (root, /usr, /home, /srv, /var, /tmp, EFI system partition), an MBR with one bootable Linux partition, or a file system without any partition table.

A file is attached to a loop device, which is given back at the end also when the launcher is killed. Nothing on the host has to run for that. With \`--read-only\` the image is not written to.`,

  machine: `
The name of the machine: letters, digits, \`-\` and single dots, at most 64 characters. It is the host name in the container unless \`--hostname\` says otherwise, and stands in the names of its cgroup and its network interfaces.

By default it is the last component of the tree's path, without the characters that a name may not have. Without \`--directory\` and \`--image\` it also names the tree: *NAME* in */etc/machines*, */run/machines*, */var/lib/machines*, */usr/local/lib/machines* and */usr/lib/machines*, the first that there is.`,

  template: `
Where the tree does not exist yet, it is made as a copy of *DIR* with all owners, modes, times and extended attributes, that shares its blocks with the template where possible. Mounts below *DIR* are not entered. A tree that exists is started as it is.

With \`--ephemeral\` and without \`--directory\` the template itself is what is started and left unchanged.`,

  ephemeral: `
The container may write anywhere, and at its end all of it is forgotten; a reboot of the container keeps it. The tree itself never changes, so several machines can be started from it at the same time. Each gets a random addition to its name, unless \`--machine\` gives one.

The changes are kept in a layer above the tree, so this takes no longer for a large tree.`,

  'read-only': `
The tree is mounted read-only, with all that is mounted below it. What the container mounts itself, */run*, */tmp*, */dev* and what \`--bind\` and \`--tmpfs\` add stay as they are. Several machines may have the same tree read-only at the same time.`,

  volatile: `
How much of the tree a run sees, and what becomes of its changes. \`yes\`, which is also what the option means without a value: the root is an empty tmpfs and only */usr* of the tree is there, read-only, so that the system starts as on its very first day. \`state\`: the tree is read-only and */var* is empty and writable. \`overlay\`: all of the tree is there and writable, and the changes are kept in memory. \`no\`: the tree as it is.

In none of these modes is the tree changed.`,

  'pivot-root': `
The directory *NEW* of the tree becomes the root of the container. With *OLD* the whole of the tree stays reachable there; without it is not mounted. Both are absolute paths in the tree. The init, */etc/os-release* and the machine id are looked for in *NEW*. For trees that keep several systems below one root, as OSTree does.`,

  'root-hash': `
The root hash of the verity data of the image, at least 128 bits in hexadecimal. Every block that is read is checked against it. Without this option it is taken from the extended attribute \`user.verity.roothash\` of the image or the file of the image's name with the suffix *.roothash*, where there is one.`,

  'root-hash-sig': `
A signature of the root hash, PKCS#7 in DER: a file, or \`base64:\` with the data behind it. The kernel checks it against its own keys. Without this option the file with the suffix *.roothash.p7s* is taken, where there is one.`,

  'verity-data': `
The file with the verity data of an image that has no partition for it. Without this option the file with the suffix *.verity* is taken, where there is one.`,

  'image-policy': `
Which partitions of an image may be used, and how: for each a name, \`=\` and some of \`verity\`, \`signed\`, \`encrypted\`, \`unprotected\`, \`unused\`, \`absent\`, joined by \`+\`, the partitions parted by colons: \`root=verity+signed:home=encrypted\`. An image that does not comply is refused.`,

  'oci-bundle': `
Starts the bundle of the OCI runtime specification in *DIR*: its *config.json* names the root, the program with its arguments and environment, mounts, capabilities and limits. Options on the command line win over what stands there. No settings file is read.`,

  hostname: `
The host name in the container, where it is to be another than the name of the machine. A tree with an */etc/hostname* of its own sets that when its init starts.`,

  uuid: `
The machine id for a tree that has none yet: 32 hexadecimal digits, with or without dashes, and not all zero. An id in the tree's */etc/machine-id* wins. Without either, a random one is made for this run. The container finds it in \`$container_uuid\` and in */run/host/container-uuid*.`,
} as const;
