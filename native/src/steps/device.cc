// File systems on block devices: those of a disk image, which the launcher has opened.
#include "steps/context.hh"
#include "steps/mount.hh"

namespace {

constexpr unsigned long kExt4ResizeFs = _IOW('f', 16, uint64_t);  // EXT4_IOC_RESIZE_FS, linux/ext4.h since 6.1
constexpr long kExt4Magic = 0xef53, kBtrfsMagic = 0x9123683e, kXfsMagic = 0x58465342;

struct BtrfsVolume {  // struct btrfs_ioctl_vol_args
  int64_t fd;
  char name[4088];
};
constexpr unsigned long kBtrfsResize = _IOW(0x94, 3, BtrfsVolume);  // BTRFS_IOC_RESIZE

struct XfsGeometry {  // struct xfs_fsop_geom_v1
  uint32_t before[7], inodeShare;
  uint64_t counts[4];
  char after[48];
};
struct XfsGrowth {  // struct xfs_growfs_data
  uint64_t blocks;
  uint32_t inodeShare;
};
constexpr unsigned long kXfsGeometry = _IOR('X', 100, XfsGeometry);  // XFS_IOC_FSGEOMETRY_V1
constexpr unsigned long kXfsGrow = _IOW('X', 110, XfsGrowth);        // XFS_IOC_FSGROWFSDATA

/// Makes a mounted file system as large as its device. As in systemd-nspawn a failure is none of the launch: it is as large
/// then as it was.
void grow(int mount, int device) {
  sys::UniqueFd root(sys::openat(mount, ".", O_RDONLY | O_DIRECTORY));
  uint64_t size = 0;
  struct {
    long type, blockSize;
    char rest[232];
  } info{};
  if (!root.ok() || sys::ioctl(device, BLKGETSIZE64, &size) < 0 || sys::invoke(__NR_fstatfs, root.get(), &info) < 0 ||
      info.blockSize <= 0)
    return;
  uint64_t blocks = size / static_cast<uint64_t>(info.blockSize);
  if (info.type == kExt4Magic) {
    sys::ioctl(root.get(), kExt4ResizeFs, &blocks);
  } else if (info.type == kBtrfsMagic) {
    static BtrfsVolume whole;
    memcpy(whole.name, "max", 4);
    sys::ioctl(root.get(), kBtrfsResize, &whole);
  } else if (info.type == kXfsMagic) {
    XfsGeometry geometry{};
    if (sys::ioctl(root.get(), kXfsGeometry, &geometry) < 0) return;
    XfsGrowth growth{blocks, geometry.inodeShare};
    sys::ioctl(root.get(), kXfsGrow, &growth);
  }
}

/// A path of an open block device, for the kernel to open it by. What shows in the guest's /proc/self/mountinfo is a name in
/// the host's /dev where it has one; elsewhere a name could by now be that of another device.
sys::Text<64> pathOf(int device) {
  sys::Text<64> viaProc("/proc/self/fd/");
  viaProc.add(int64_t{device});
  char name[64];
  long size = sys::invoke(__NR_readlinkat, AT_FDCWD, viaProc.c_str(), name, sizeof name - 1);
  if (size <= 0) return viaProc;
  name[size] = 0;
  if (!sys::startsWith(name, "/dev/") || sys::find(name, ' ')) return viaProc;
  return sys::Text<64>(name);
}

}  // namespace

/// s0 = type; s1 = data; from = slot of the block device; as = slot; a = MS_* flags; kGrow.
long mountDevice(Context& context, const wire::Step& step) {
  int device = context.slots[step.from];
  sys::UniqueFd mount(makeMount(context.plan.text(step.s0), pathOf(device).c_str(), context.plan.text(step.s1), step.a,
                                step.a & MS_RDONLY));
  if (!mount.ok()) return mount.error();
  if (step.flags & wire::kGrow) grow(mount.get(), device);
  context.slots[step.as] = mount.release();
  return 0;
}
