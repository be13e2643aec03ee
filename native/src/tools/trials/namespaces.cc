// The namespaces and mounts of a launch, one after the other, in a process that takes them all with it when it ends.
#include "tools/trials/trials.hh"

namespace {

long writeFile(long pid, const char* name, const char* text) {
  sys::Text<64> path("/proc/");
  path.add(static_cast<int64_t>(pid)).add("/").add(name);
  sys::UniqueFd fd(sys::open(path.c_str(), O_WRONLY));
  return fd.ok() ? sys::writeAll(fd.get(), text, strlen(text)) : fd.error();
}

long mapOne(long pid, const char* file, long id) {
  sys::Text<64> map("0 ");
  map.add(static_cast<int64_t>(id)).add(" 1\n");
  return writeFile(pid, file, map.c_str());
}

/// The caller's one id becomes 0, as an ordinary user may have it.
long mapCaller(long pid) {
  if (long error = writeFile(pid, "setgroups", "deny"); error < 0 && error != -ENOENT) return error;
  if (long error = mapOne(pid, "uid_map", sys::invoke(__NR_geteuid)); error < 0) return error;
  return mapOne(pid, "gid_map", sys::invoke(__NR_getegid));
}

/// Starts a process in a user namespace and runs `trials` there once it is root. `meanwhile` gets its process id while it waits.
template <typename Trials, typename Meanwhile>
void inUserNamespace(const char* name, const char* mapName, Trials trials, Meanwhile meanwhile) {
  int gate[2];
  if (long error = sys::socketPair(gate); error < 0) return report(name, error);
  const long pid = sys::forkProcess();
  if (pid == 0) {
    sys::close(gate[0]);
    const long made = sys::unshare(CLONE_NEWUSER);
    char go = 0;
    sys::write(gate[1], &made, sizeof made);
    if (made == 0 && sys::read(gate[1], &go, 1) == 1) trials();
    sys::exit(0);
  }
  sys::close(gate[1]);
  long made = pid < 0 ? pid : -EIO;
  if (pid > 0) sys::read(gate[0], &made, sizeof made);
  report(name, made);
  if (made == 0) {
    const long mapped = mapCaller(pid);
    report(mapName, mapped);
    if (mapped == 0) {
      meanwhile(pid);
      sys::write(gate[0], "", 1);
    }
  }
  sys::close(gate[0]);
  if (pid > 0) sys::wait(pid, nullptr, 0);
}

/// A mount that is attached nowhere, made as a launch makes its own. `data`: options, separated by commas.
long newMount(const char* type, const char* data, unsigned attributes) {
  sys::UniqueFd fs(sys::fsopen(type, FSOPEN_CLOEXEC));
  if (!fs.ok()) return fs.error();
  sys::fsconfig(fs.get(), FSCONFIG_SET_STRING, "source", type);
  while (*data) {
    const char* comma = sys::find(data, ',');
    const size_t size = comma ? static_cast<size_t>(comma - data) : strlen(data);
    sys::Text<200> key;
    key.add(data, size);
    data += size + (comma != nullptr);
    const char* equals = sys::find(key.c_str(), '=');
    sys::Text<64> name;
    name.add(key.c_str(), equals ? static_cast<size_t>(equals - key.c_str()) : key.size());
    const long error = equals ? sys::fsconfig(fs.get(), FSCONFIG_SET_STRING, name.c_str(), equals + 1)
                              : sys::fsconfig(fs.get(), FSCONFIG_SET_FLAG, name.c_str(), nullptr);
    if (error < 0) return error;
  }
  if (long error = sys::fsconfig(fs.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr); error < 0) return error;
  return sys::fsmount(fs.get(), FSMOUNT_CLOEXEC, attributes);
}

long attach(long mount, const char* path) {
  sys::UniqueFd fd(mount);
  return fd.ok() ? sys::moveMount(fd.get(), "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) : fd.error();
}

constexpr unsigned kApi = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;

/// Mount points, in a tmpfs that covers a directory which every system has.
class Scratch {
 public:
  long make() {
    constexpr const char* kPlaces[] = {"/tmp", "/mnt", "/dev", "/proc"};
    long error = -ENOENT;
    for (const char* place : kPlaces) {
      error = attach(newMount("tmpfs", "mode=700", MOUNT_ATTR_NOSUID), place);
      place_ = place;
      if (error != -ENOENT && error != -ENOTDIR) break;
    }
    return error;
  }
  sys::Text<64> path(const char* name) const { return sys::Text<64>(place_).add("/").add(name); }
  sys::Text<64> directory(const char* name) const {
    sys::Text<64> made = path(name);
    sys::mkdirat(AT_FDCWD, made.c_str(), 0755);
    return made;
  }
  long mount(const char* name, const char* type, unsigned attributes, const char* data = "") const {
    return attach(newMount(type, data, attributes), directory(name).c_str());
  }

 private:
  const char* place_ = "";
};

void tryDevices(const Scratch& scratch) {
  const sys::Text<64> node = scratch.path("null");
  sys::close(static_cast<int>(sys::open(node.c_str(), O_CREAT | O_WRONLY, 0600)));
  long error = sys::mount("/dev/null", node.c_str(), nullptr, MS_BIND, nullptr);
  // a mount that has become nodev would still be there
  report("bindDevice", error < 0 ? error : sys::UniqueFd(sys::open(node.c_str(), O_WRONLY)).error());
  report("devpts",
         scratch.mount("pts", "devpts", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, "newinstance,ptmxmode=0666,mode=0620"));
  sys::UniqueFd fuse(sys::open("/dev/fuse", O_RDWR));
  report("fuseDevice", fuse.error());
  if (!fuse.ok()) return;
  sys::Text<128> data("fd=");
  data.add(static_cast<int64_t>(fuse.get())).add(",rootmode=40000,user_id=0,group_id=0");
  report("fuse", scratch.mount("fuse", "fuse", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, data.c_str()));
}

long cloneHere() { return sys::openTree(AT_FDCWD, ".", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE); }

void tryDetached(const Scratch& scratch) {
  sys::UniqueFd tree(cloneHere());
  report("openTree", tree.error());
  sys::UniqueFd fresh(newMount("tmpfs", "", 0));
  report("newMount", fresh.error());
  mount_attr readOnly{};
  readOnly.attr_set = MOUNT_ATTR_RDONLY;
  report("mountAttributes", sys::mountSetattr(tree.get(), "", AT_EMPTY_PATH, &readOnly));
  const sys::Text<64> place = scratch.directory("moved");
  report("moveMount", sys::moveMount(tree.get(), "", AT_FDCWD, place.c_str(), MOVE_MOUNT_F_EMPTY_PATH));
}

long showOwners(long mount, int users) {
  sys::UniqueFd fd(mount);
  if (!fd.ok()) return fd.error();
  mount_attr map{};
  map.attr_set = MOUNT_ATTR_IDMAP;
  map.userns_fd = static_cast<uint64_t>(users);
  return sys::mountSetattr(fd.get(), "", AT_EMPTY_PATH, &map);
}

/// The guest's own user namespace, and mounts that show owners by its map.
void tryNested() {
  inUserNamespace(
      "nested", "nestedMap", [] {},
      [](long pid) {
        sys::Text<64> path("/proc/");
        path.add(static_cast<int64_t>(pid)).add("/ns/user");
        sys::UniqueFd users(sys::open(path.c_str(), O_RDONLY));
        report("mappedOwners", showOwners(cloneHere(), users.get()));
        report("mappedOwnersInMemory", showOwners(newMount("tmpfs", "", 0), users.get()));
      });
}

long tryOverlay(const Scratch& scratch, const char* name, const char* lower, const char* upper, const char* work,
                bool asRoot) {
  sys::Text<256> data("lowerdir=");
  data.add(lower).add(",upperdir=").add(upper).add(",workdir=").add(work).add(asRoot ? "" : ",userxattr");
  if (long error = scratch.mount(name, "overlay", 0, data.c_str()); error < 0) return error;
  const sys::Text<64> file = scratch.path(name).add("/file");
  return sys::UniqueFd(sys::open(file.c_str(), O_CREAT | O_WRONLY, 0600)).error();
}

void tryOverlays(const Scratch& scratch, bool asRoot, const char* layers) {
  // what an ordinary user's overlay marks removed directories with
  report("memoryAttributes",
         sys::invoke(__NR_setxattr, scratch.directory("marked").c_str(), "user.overlay.trial", "y", 1, 0));
  report("overlay", tryOverlay(scratch, "merged", ".", scratch.directory("upper").c_str(),
                               scratch.directory("work").c_str(), asRoot));
  if (!layers) return;
  auto layer = [&](const char* name) { return sys::Text<64>(layers).add("/").add(name); };
  report("overlayOnDisk",
         tryOverlay(scratch, "merged-disk", layer("l").c_str(), layer("u").c_str(), layer("w").c_str(), asRoot));
}

void tryProcesses(const Scratch& scratch) {
  constexpr unsigned kCtrlAltDel = LINUX_REBOOT_CMD_CAD_ON;
  const long made = sys::unshare(CLONE_NEWPID);
  report("processes", made);
  if (made < 0) return;
  inProcess([&] {
    report("proc", scratch.mount("proc", "proc", kApi));
    // this one is refused where a reboot would be that of the namespace
    const long reboot = sys::invoke(__NR_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, kCtrlAltDel, nullptr);
    report("reboot", reboot == -EINVAL ? 0 : reboot == 0 ? -EINVAL : reboot);
    return 0L;
  });
}

void tryMounts(bool asRoot, const char* layers) {
  long error = sys::unshare(CLONE_NEWNS);
  report("mounts", error);
  if (error < 0) return;
  sys::mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr);
  Scratch scratch;
  error = scratch.make();
  report("tmpfs", error);
  if (error < 0) return;
  tryDetached(scratch);
  tryDevices(scratch);
  tryOverlays(scratch, asRoot, layers);
  tryNested();
  report("hostname", sys::unshare(CLONE_NEWUTS));
  error = sys::unshare(CLONE_NEWIPC);
  report("ipc", error);
  if (error == 0) report("mqueue", scratch.mount("mqueue", "mqueue", kApi));
  error = sys::unshare(CLONE_NEWCGROUP);
  report("cgroups", error);
  if (error == 0) report("cgroup2", scratch.mount("cgroup", "cgroup2", kApi));
  error = sys::unshare(CLONE_NEWNET);
  report("network", error);
  // the host's own may be read-only, and a new one may not be more than that
  if (error == 0) report("sysfs", scratch.mount("sys", "sysfs", kApi | MOUNT_ATTR_RDONLY, "ro"));
  tryProcesses(scratch);
}

}  // namespace

void tryNamespaces(bool asRoot, const char* layers) {
  if (asRoot) {
    inProcess([&] {
      tryMounts(true, layers);
      return 0L;
    });
  }
  inUserNamespace(
      "user", "map",
      [&] {
        if (!asRoot) tryMounts(false, layers);
      },
      [](long) {});
}

void holdUserNamespace() {
  const long made = sys::unshare(CLONE_NEWUSER);
  report("user", made);
  char byte;
  while (made == 0 && sys::read(0, &byte, 1) > 0) {
  }
}
