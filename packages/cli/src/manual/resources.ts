// The manual of the options about limits, and the unit that holds the container.

export const RESOURCES_MANUAL = {
  rlimit: `
A resource limit of the payload: a name as in getrlimit(2) without \`RLIMIT_\`, and the soft and the hard value; one value stands for both. Sizes in bytes take \`K\` \`M\` \`G\` \`T\` \`P\` \`E\`, powers of 1024, times the units of systemd.time(7), \`NICE\` also the form \`-5\`; \`infinity\` is no limit. May be given several times. \`help\` lists the names.

Limits that are not given are those that the kernel gives to the first process of a machine, not the caller's. Where the caller may not raise a hard limit, it stays as low as the caller's.`,

  'oom-score-adjust': `
How likely the kernel is to kill processes of the container when memory runs out, from -1000, never, to 1000. Without it the value of the caller stays.`,

  'cpu-affinity': `
The processors that the container may run on: numbers and ranges between commas or blanks, \`0-3,8\`. May be given several times; all of them count together.`,

  property: `
Resource control for all processes of the container together, by the names and in the units of systemd.resource-control(5): \`MemoryMax=1G\`, \`CPUQuota=50%\`, \`TasksMax=100\`, \`AllowedCPUs=0-1\`, \`IOWeight=50\`. They are set on the container's own cgroup, so they also work on hosts without systemd. May be given several times. A property that the host cannot give is an error; so is, without root, one whose controller no cgroup of the caller has.`,

  slice: `
The slice of systemd that the container's scope is put into. By default that is *machine.slice*. Without root it is one of the caller's own systemd. On a host that systemd does not manage there are no slices, and this has no effect.`,

  register: `
Whether the machine is registered with systemd-machined, so that machinectl(1) lists it. \`auto\`, the default, does so where it runs, and for root: it takes registrations from nobody else. \`yes\` fails where it could be reached and refuses, and warns on a host that systemd does not manage.`,

  'keep-unit': `
Makes no scope for the container: it stays in the unit that the launcher was started in. When the container reboots, the launcher ends with status 133 instead of starting it again, so that the service manager does. For service units, which must be delegated (\`Delegate=yes\`) where an ordinary user boots systemd in one.`,
} as const;
