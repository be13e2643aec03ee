// The manual of the options about what runs in the container, and how it is started and ended.

export const PAYLOAD_MANUAL = {
  boot: `
Looks for an init in the tree, */usr/lib/systemd/systemd*, */lib/systemd/systemd* and */sbin/init* in this order, and starts it as PID 1. What follows the options are arguments of the init.

A container that is booted is asked to shut down where another one is killed, see SIGNALS. A *COMMAND* that is one of these inits is a boot as well, without this option.`,

  'as-pid2': `
A small init of the launcher's own is PID 1, and *COMMAND* is PID 2. It collects orphaned processes, takes the signals that a system would act on, and ends with *COMMAND*'s status. For programs that are not made to be PID 1: the kernel drops every signal to PID 1 that it has no handler for.`,

  user: `
The user that *COMMAND*, the shell or the init runs as: a name or a number from the user database of the tree, looked up in the tree's own */etc/passwd* and */etc/group*, not on the host. Groups, \`$HOME\`, \`$USER\` and \`$LOGNAME\` follow from it. A name that the tree does not know is an error; with a number that it does not know, the group has the same number and the home is /.`,

  chdir: `
The directory that *COMMAND* starts in: an absolute path in the container, reached after everything has been mounted and with the rights of the user. It may not lie below */proc*, */sys* or */dev*. By default it is / for a command and an init, and the user's home for a shell.`,

  setenv: `
Sets a variable of the container's environment. *NAME* alone copies the caller's value, or an empty one when there is none. May be given several times; of one name the last counts. These variables win over all that are set otherwise, see ENVIRONMENT.`,

  'kill-signal': `
The signal that PID 1 is sent when the launcher is asked to end: a name with or without \`SIG\`, a number, or a place in the real-time range such as \`RTMIN+3\`. For a booted container the default is what its init takes for a shutdown: \`SIGRTMIN+3\` for systemd, \`SIGUSR2\` for busybox, \`SIGPWR\` or \`SIGINT\` for sysvinit, \`SIGTERM\` for openrc-init. Other payloads are killed, unless this option is given. \`help\` lists the names.`,

  'notify-ready': `
Whether the service manager that started the launcher hears \`READY=1\` only when PID 1 of the container has said it on */run/host/notify*. With \`no\`, the default, it hears it as soon as the payload runs.`,

  'suppress-sync': `
Lets sync(2), syncfs(2), fsync(2), fdatasync(2), sync_file_range(2) and msync(2) return success and do nothing, and refuses open(2) with \`O_SYNC\`. Building systems and running tests become much faster. What a crash of the host leaves of the tree may then be of no use.`,

  personality: `
The architecture that uname(2) reports. \`x86\` on a 64-bit x86 host makes a 32-bit tree believe that it runs on a 32-bit machine.`,
} as const;
