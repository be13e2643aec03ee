// The manual of the options about what the payload may do.

export const PRIVILEGES_MANUAL = {
  capability: `
Capabilities to keep beyond the usual ones, between commas: names as in capabilities(7) with or without \`CAP_\`, numbers, or \`all\`. The system calls that belong to them are allowed as well. May be given several times. A capability that the caller does not have itself is an error. \`help\` lists the names.`,

  'drop-capability': `
Capabilities to take away, in the same form. This wins over \`--capability\`.`,

  'ambient-capability': `
Capabilities that a *COMMAND* of another user than root has, and hands on to what it executes. They must be among those that the container has. Not with \`--boot\`. May be given several times.`,

  'no-new-privileges': `
With \`yes\` no program in the container gains anything by set-user-id bits, set-group-id bits or file capabilities. su(1) and sudo(8) then do not work. \`no\` is the default.`,

  'system-call-filter': `
System calls, by their names or as groups (\`@mount\`, \`@clock\`), parted by blanks, to allow beyond those that are allowed by default; with \`~\` before the list, to refuse. May be given several times; a call that is both allowed and refused is refused. A call that does not exist is an error.`,

  'selinux-context': `
The SELinux label of the processes of the container. Needs a host with SELinux.`,

  'selinux-apifs-context': `
The SELinux label of the files that the container finds on the file systems that are made for it, as */dev* and */run*. Needs a host with SELinux.`,
} as const;
