// The manual of the options about the console, messages, and the rest.

export const CONSOLE_MANUAL = {
  console: `
What the payload has as standard input, output and error. \`interactive\`: a terminal of the container's own, joined to that of the caller in both directions; the default where standard input and output are terminals. \`read-only\`: a terminal whose output is passed on and that nothing is typed at; the default elsewhere. \`passive\`: a terminal that nobody listens to; what waits in it at the end is printed then. \`pipe\`: see \`--pipe\`. \`autopipe\`: \`interactive\` where that is the default, else \`pipe\`.

The terminal is */dev/console* of the container. See KEYS for what can be typed at it. \`help\` lists the modes.`,

  pipe: `
The payload gets the caller's standard input, output and error as they are: bytes pass unchanged, and ends of files arrive. For filters and scripts. There is no */dev/console*.

Where the caller's standard input is a terminal, the payload can read from it and change its settings, but not put characters into it: \`TIOCSTI\` is refused. For programs that are not trusted \`interactive\` is the better choice.`,

  background: `
Colours the background of an interactive console for as long as the container runs: the numbers of the escape sequence *SGR* between semicolons, \`44\` for blue, \`48;2;0;0;60\` for one of the many. Only where standard output is a terminal that knows colours and \`$NO_COLOR\` is not set. By default, and with an empty value, the colours are left alone.`,

  quiet: `
Prints no messages of its own but errors. What the container prints is not affected.`,

  settings: `
Whether *MACHINE.nspawn* is read, see SETTINGS FILES. \`yes\`, the default: it counts where the command line does not say otherwise, and one that lies beside the tree only as far as that is harmless. \`no\`: it is not read. \`override\`: it wins over the command line. \`trusted\`: one that lies beside the tree counts in all it says.`,

  cleanup: `
Removes what a run of this machine has left behind that was ended by a crash of the host, and ends. Needs \`--machine\`, \`--directory\` or \`--image\`. A run whose processes were killed leaves nothing that would need this.`,

  'dry-run': `
Prints what would be done, step by step, and does nothing: as text, or with \`json\` for programs. Needs no privileges.`,

  'no-pager': `
Accepted and without effect: nothing is ever shown in a pager.`,

  'no-ask-password': `
Does not ask on the terminal for the password of an encrypted image; without one from elsewhere the start then fails.`,

  help: `
Prints a summary of the options, and ends.`,

  version: `
Prints the version, and ends.`,
} as const;
