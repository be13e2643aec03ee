// The launcher's own cgroup, where the host's mount of it cannot be used.
#pragma once

/// Whether the caller may make cgroups in its own one of cgroup2, and move processes there, by a mount of its own: in a user
/// namespace, and a cgroup namespace whose root that cgroup is (Linux 4.6).
bool ownsCgroup();
