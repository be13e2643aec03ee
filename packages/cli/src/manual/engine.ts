// The manual of the options that choose the engine.

export const ENGINE_MANUAL = {
  engine: `
What keeps the container apart. \`namespaces\`: those of the kernel. \`ptrace\`: none of them; every system call of the container that names a file, a user or a process is looked at and answered by the monitor, so that the tree seems to be the root and the caller seems to be root in it. This needs no privilege at all and works where user namespaces are switched off and in containers of others, but calls take longer, and it is no security boundary: a program that means to get out of the tree does. \`auto\`, the default: \`namespaces\` where the kernel gives them, else \`ptrace\`, with a line that says so.

What \`ptrace\` cannot do, such as \`--private-network\`, \`--overlay\`, \`--ephemeral\`, \`--property\`, \`--capability\`, a size of a \`--tmpfs\` and images, is refused when it is asked for.`,

  'fake-id': `
The user and the group that the command has in the container: *UID:GID*, or *UID* for both. They need not be in its files. Without it the command is root, or the user of \`--user\`. With the engine \`ptrace\`, and for a caller with a single id, they are fake, and what such a user may do to files is what the caller may.`,

  'fake-root': `
Says aloud what is the default without \`--share-host\`: the command is root of the tree. With the engine \`ptrace\` it may change owners and make device nodes, and it is remembered with the files of the tree, as for every user with a single id.`,

  'share-host': `
Programs of the tree work on the caller's own things: \`tsnspawn -D tree --share-host gcc x.c\` compiles a file of the current directory with the compiler of the tree. What is shared: \`home\`, the home directory, with \`$HOME\`; \`cwd\`, the current directory, in which the command is started; \`tmp\`, */tmp*; \`users\`, the names of users and groups; \`network\`, */etc/resolv.conf* and */etc/hosts*; \`timezone\`; \`display\`, the sockets of X11, Wayland and the session, with their variables. All of them, or those that are listed.

The command keeps the caller's own ids. With \`--fake-root\` it is root of the tree, and what it makes is still the caller's.`,

  qemu: `
With the engine \`ptrace\`, every program of the container is run through this command of the host, as in \`--qemu=/usr/bin/qemu-aarch64-static\`: a static program, named by its absolute path, with options behind it. Without the option a program for another machine is run through *qemu-MACHINE-static* in */usr/bin*, where that is.`,

  'port-map': `
With the engine \`ptrace\`, whose network is the host's: a program that binds *PORT* gets *HOST*, and one that connects to *PORT* of its own machine, too. So a server that insists on port 80 runs without privileges.`,

  link2symlink: `
With the engine \`ptrace\`, for file systems and hosts that refuse hard links: the file gets a name that begins with *.l2s.*, and both names become symbolic links to it.`,

  'kernel-release': `
With the engine \`ptrace\`, the release that uname(2) and */proc/sys/kernel/osrelease* show. For programs whose C library refuses the real one: "FATAL: kernel too old".`,
} as const;
