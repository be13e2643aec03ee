// Mounts. New ones are made detached (fsopen, fsmount, open_tree: Linux 5.2), get their flags while nobody can see them,
// and are moved onto a descriptor of the target. Every target is looked up after pivot_root, so that a symbolic link of a
// hostile tree ends inside the tree; RESOLVE_IN_ROOT and NO_MAGICLINKS hold even where the tree brought a /proc of its own.
#include "steps/mount.hh"
#include "steps/context.hh"
#include "steps/path.hh"

namespace {

/// MS_* as the plan has them, as MOUNT_ATTR_*.
uint64_t attributes(uint64_t flags) {
  uint64_t result = 0;
  if (flags & MS_RDONLY) result |= MOUNT_ATTR_RDONLY;
  if (flags & MS_NOSUID) result |= MOUNT_ATTR_NOSUID;
  if (flags & MS_NODEV) result |= MOUNT_ATTR_NODEV;
  if (flags & MS_NOEXEC) result |= MOUNT_ATTR_NOEXEC;
  if (flags & MS_NODIRATIME) result |= MOUNT_ATTR_NODIRATIME;
  if (flags & MS_NOSYMFOLLOW) result |= MOUNT_ATTR_NOSYMFOLLOW;
  if (flags & MS_NOATIME) result |= MOUNT_ATTR_NOATIME;
  if (flags & MS_STRICTATIME) result |= MOUNT_ATTR_STRICTATIME;
  return result;
}

long setAttributes(int fd, uint64_t flags, unsigned recursive) {
  if (!flags) return 0;
  mount_attr change{};
  change.attr_set = attributes(flags);
  if (change.attr_set & (MOUNT_ATTR_NOATIME | MOUNT_ATTR_STRICTATIME)) change.attr_clr = MOUNT_ATTR__ATIME;
  return sys::mountSetattr(fd, "", AT_EMPTY_PATH | recursive, &change);
}

unsigned typeOf(int fd) {
  struct statx info;
  return sys::fstatx(fd, STATX_TYPE, &info) < 0 ? 0 : info.stx_mode & S_IFMT;
}

/// Opens a mount point, made first where it is missing: a directory, or an empty file when `file`. kNoFollow, kCoverLink.
long openTarget(const char* path, bool file, unsigned flags) {
  bool last = flags & (wire::kNoFollow | wire::kCoverLink);
  long fd = openInside(AT_FDCWD, path, last, file ? Make::kFile : Make::kDirectory);
  if (fd >= 0 && flags & wire::kNoFollow && typeOf(static_cast<int>(fd)) == S_IFLNK) {
    sys::close(static_cast<int>(fd));
    return -ELOOP;
  }
  return fd;
}

long attach(int mount, int target) {
  return sys::moveMount(mount, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

/// fsconfig(2) for each `key` or `key=value` of a comma separated list; commas between double quotes part nothing.
long configure(int context, const char* data) {
  while (data && *data) {
    sys::Text<128> key;
    sys::Text<256> value;
    bool hasValue = false, quoted = false;
    for (; *data && (quoted || *data != ','); data++) {
      if (*data == '"') {
        quoted = !quoted;
      } else if (*data == '=' && !hasValue) {
        hasValue = true;
      } else if (hasValue) {
        value.add(data, 1);
      } else {
        key.add(data, 1);
      }
    }
    if (*data) data++;
    if (key.full() || value.full()) return -E2BIG;
    long error = hasValue ? sys::fsconfig(context, FSCONFIG_SET_STRING, key.c_str(), value.c_str())
                          : sys::fsconfig(context, FSCONFIG_SET_FLAG, key.c_str(), nullptr);
    if (error < 0) return error;
  }
  return 0;
}

/// Whether a path lies on ramfs or tmpfs.
bool isMemory(const char* path) {
  struct {
    long type;
    char rest[240];
  } info{};
  constexpr long kRamfs = 0x858458f6, kTmpfs = 0x01021994;
  return sys::invoke(__NR_statfs, path, &info) == 0 && (info.type == kRamfs || info.type == kTmpfs);
}

/// The directory of a descriptor by way of its path: only a mount of the caller's own mount namespace can be cloned. Returns a
/// descriptor or -errno, -ESTALE for another directory than that.
long openAgain(int directory, const char* path) {
  sys::UniqueFd fd(sys::open(path, O_PATH | O_DIRECTORY));
  if (!fd.ok()) return fd.error();
  struct statx was, is;
  if (long error = sys::fstatx(directory, STATX_INO, &was); error < 0) return error;
  if (long error = sys::fstatx(fd.get(), STATX_INO, &is); error < 0) return error;
  bool same =
      was.stx_ino == is.stx_ino && was.stx_dev_major == is.stx_dev_major && was.stx_dev_minor == is.stx_dev_minor;
  return same ? fd.release() : -ESTALE;
}

/// The errors that mean "this kernel, or this tree, does not have it" for an optional mount.
bool excusable(long error) { return error == -ENODEV || error == -ENOENT || error == -EROFS || error == -EPERM; }

}  // namespace

long makeMount(const char* type, const char* source, const char* data, uint64_t flags, bool readOnly) {
  sys::UniqueFd context(sys::fsopen(type, FSOPEN_CLOEXEC));
  if (!context.ok()) return context.error();
  if (long error = sys::fsconfig(context.get(), FSCONFIG_SET_STRING, "source", source); error < 0) return error;
  if (readOnly)
    if (long error = sys::fsconfig(context.get(), FSCONFIG_SET_FLAG, "ro", nullptr); error < 0) return error;
  if (long error = configure(context.get(), data); error < 0) return error;
  if (long error = sys::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr); error < 0) return error;
  return sys::fsmount(context.get(), FSMOUNT_CLOEXEC, static_cast<unsigned>(attributes(flags)));
}

long attachMount(int mount, const char* path) {
  sys::UniqueFd target(openTarget(path, typeOf(mount) != S_IFDIR, 0));
  return target.ok() ? attach(mount, target.get()) : target.error();
}

long setMountFlags(int mount, uint64_t flags) { return setAttributes(mount, flags, 0); }

/// s0 = host path, or from = slot of a descriptor, which s2 is the path of; s1 = path inside of that (without any: inside the
/// guest's root); as = slot; a = MS_* flags; kRecursive.
long openTreeStep(Context& context, const wire::Step& step) {
  unsigned recursive = step.flags & wire::kRecursive ? AT_RECURSIVE : 0;
  unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | recursive;
  const char* path = context.plan.text(step.s0);
  const char* inside = context.plan.text(step.s1);
  int from = step.from >= 0 ? context.slots[step.from] : AT_FDCWD;
  sys::UniqueFd source, here;
  if (context.plan.header().ownMounts && step.from == wire::kTreeSlot) {
    here.reset(openAgain(from, context.plan.text(step.s2)));
    if (!here.ok()) return here.error();
    from = here.get();
  }
  if (inside) {
    source.reset(openInside(from, inside, false));
    if (!source.ok()) return source.error();
    from = source.get();
  }
  long fd = path ? sys::openTree(AT_FDCWD, path, flags) : sys::openTree(from, "", flags | AT_EMPTY_PATH);
  if (fd < 0) return fd;
  context.slots[step.as] = static_cast<int>(fd);
  if (long error = setAttributes(static_cast<int>(fd), step.a, recursive); error < 0) return error;
  // A clone of a shared mount is a peer of it: as its slave it still sees what the host mounts below the tree later, and
  // what the guest mounts never shows on the host.
  mount_attr change{};
  change.propagation = MS_SLAVE;
  return sys::mountSetattr(static_cast<int>(fd), "", AT_EMPTY_PATH | AT_RECURSIVE, &change);
}

/// s0 = type; s1 = data; as = slot; a = MS_* flags.
long newMount(Context& context, const wire::Step& step) {
  const char* type = context.plan.text(step.s0);
  long fd = makeMount(type, type, context.plan.text(step.s1), step.a, false);
  if (fd < 0) return fd;
  context.slots[step.as] = static_cast<int>(fd);
  return 0;
}

/// a = MS_PRIVATE, MS_SLAVE or MS_SHARED, for every mount of the namespace.
long setPropagation(Context&, const wire::Step& step) {
  return sys::mount(nullptr, "/", nullptr, MS_REC | step.a, nullptr);
}

/// from = slot of the detached tree; a = propagation inside.
long enterRoot(Context& context, const wire::Step& step) {
  int root = context.slots[step.from];
  // The root of an initramfs cannot be pivoted away; asked before the tree covers it.
  bool initramfs = isMemory("/");
  // pivot_root(2) wants a mount point: any will do, and "/" needs neither a directory in the tree nor one on the host.
  if (long error = sys::moveMount(root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH); error < 0) return error;
  if (long error = sys::fchdir(root); error < 0) return error;
  long error = sys::pivotRoot(".", ".");
  if (error == 0) {
    // The old root now lies on top of the new one.
    error = sys::umount(".", MNT_DETACH);
  } else if (error == -EINVAL && initramfs) {
    // The tree covers it, and chroot(2) steps onto the tree.
    error = sys::chroot(".");
  }
  if (error < 0) return error;
  if ((error = sys::chdir("/")) < 0) return error;
  // After the pivot: it refuses shared mounts. What is mounted from here on is shared too, within this namespace.
  return sys::mount(nullptr, "/", nullptr, MS_REC | step.a, nullptr);
}

/// s0 = type; s1 = target; s2 = data; a = MS_* flags; kOptional, kNoFollow.
long mountNew(Context& context, const wire::Step& step) {
  bool optional = step.flags & wire::kOptional;
  const char* type = context.plan.text(step.s0);
  sys::UniqueFd mount(makeMount(type, type, context.plan.text(step.s2), step.a, false));
  if (!mount.ok()) return optional && excusable(mount.error()) ? 0 : mount.error();
  sys::UniqueFd target(openTarget(context.plan.text(step.s1), false, step.flags));
  if (!target.ok()) return optional && excusable(target.error()) ? 0 : target.error();
  return attach(mount.get(), target.get());
}

/// s0 = path in the guest, or from = slot of a detached mount; s1 = target; a = MS_* flags; kRecursive, kOptional,
/// kNoFollow, kCoverLink.
long bindMount(Context& context, const wire::Step& step) {
  bool optional = step.flags & wire::kOptional;
  unsigned recursive = step.flags & wire::kRecursive ? AT_RECURSIVE : 0;
  sys::UniqueFd mount;
  if (const char* path = context.plan.text(step.s0)) {
    sys::UniqueFd source(openInside(AT_FDCWD, path, false));
    if (!source.ok()) return optional && source.error() == -ENOENT ? 0 : source.error();
    mount.reset(sys::openTree(source.get(), "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | recursive));
  } else {
    mount.reset(context.slots[step.from]);
    context.slots[step.from] = -1;
  }
  if (!mount.ok()) return mount.error();
  if (long error = setAttributes(mount.get(), step.a, recursive); error < 0) return error;
  sys::UniqueFd target(openTarget(context.plan.text(step.s1), typeOf(mount.get()) != S_IFDIR, step.flags));
  if (!target.ok()) return optional && excusable(target.error()) ? 0 : target.error();
  return attach(mount.get(), target.get());
}

/// s0 = target; a = MS_* flags that are set in addition.
long remount(Context& context, const wire::Step& step) {
  sys::UniqueFd target(openInside(AT_FDCWD, context.plan.text(step.s0), false));
  if (!target.ok()) return target.error();
  return setAttributes(target.get(), step.a, 0);
}

/// s0 = target.
long unmount(Context& context, const wire::Step& step) {
  return sys::umount(context.plan.text(step.s0), MNT_DETACH | UMOUNT_NOFOLLOW);
}

/// s0 = path of the guest: covered by a node of its own type that nobody may read or enter; kOptional: it need not exist.
long coverPath(Context& context, const wire::Step& step) {
  sys::UniqueFd target(openInside(AT_FDCWD, context.plan.text(step.s0), false));
  bool missing = target.error() == -ENOENT || target.error() == -ENOTDIR;
  if (!target.ok()) return missing && step.flags & wire::kOptional ? 0 : target.error();
  const char* name = "reg";
  switch (typeOf(target.get())) {
    case S_IFDIR:
      name = "dir";
      break;
    case S_IFCHR:
      name = "chr";
      break;
    case S_IFBLK:
      name = "blk";
      break;
    case S_IFIFO:
      name = "fifo";
      break;
    case S_IFSOCK:
      name = "sock";
      break;
  }
  sys::Text<64> path(context.plan.text(step.s1));
  sys::UniqueFd source(openInside(AT_FDCWD, path.add("/").add(name).c_str(), false));
  // Device nodes cannot be made everywhere; a socket that nobody listens on does as well.
  if (source.error() == -ENOENT) {
    sys::Text<64> socket(context.plan.text(step.s1));
    source.reset(openInside(AT_FDCWD, socket.add("/sock").c_str(), false));
  }
  if (!source.ok()) return source.error();
  sys::UniqueFd mount(sys::openTree(source.get(), "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH));
  if (!mount.ok()) return mount.error();
  if (long error = setAttributes(mount.get(), step.a, 0); error < 0) return error;
  return attach(mount.get(), target.get());
}

/// as = slot of a detached mount; from = slot of the user namespace that its owners are mapped by (Linux 5.12).
long mapOwners(Context& context, const wire::Step& step) {
  mount_attr map{};
  map.attr_set = MOUNT_ATTR_IDMAP;
  map.userns_fd = static_cast<uint64_t>(context.slots[step.from]);
  // Not recursive: one file system below that cannot be mapped, such as proc, must not make all of it fail.
  return sys::mountSetattr(context.slots[step.as], "", AT_EMPTY_PATH, &map);
}
