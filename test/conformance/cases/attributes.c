// What stat(2) shows, owners, modes, device nodes, extended attributes.
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "case.h"

static void owner(const char* path) {
  struct stat info;
  if (lstat(path, &info) < 0) SAY(path, "%s", nameOf(errno));
  else SAY(path, "%u:%u %o", info.st_uid, info.st_gid, info.st_mode);
}

CASE("a new file belongs to root") {
  put("file", "x");
  mkdir("dir", 0755), symlink("x", "link"), mkfifo("fifo", 0644);
  owner("file"), owner("dir"), owner("link"), owner("fifo"), owner("/conformance/mark"), owner("/");
}

CASE("chown is seen by every call that shows owners") {
  struct stat info;
  struct statx more;
  put("file", "x");
  DO(chown("file", 8, 12));
  owner("file");
  DO(chown("file", -1, 5));
  owner("file");
  statx(AT_FDCWD, "file", 0, STATX_BASIC_STATS, &more);
  SAY("statx", "%u:%u", more.stx_uid, more.stx_gid);
  int fd = open("file", O_RDWR);
  fstat(fd, &info);
  SAY("fstat", "%u:%u", info.st_uid, info.st_gid);
  DO(fchown(fd, 0, 0));
  owner("file");
  DO(chown("file", 65533, 4000000000u));
  owner("file");
}

CASE("owners of directories, links, fifos and sockets") {
  mkdir("dir", 0755), symlink("dir", "link"), mkfifo("fifo", 0644);
  DO(mknod("socket", S_IFSOCK | 0600, 0));
  DO(chown("dir", 1, 2));
  DO(lchown("link", 3, 4));
  DO(chown("fifo", 5, 6));
  DO(chown("socket", 7, 8));
  owner("dir"), owner("link"), owner("fifo"), owner("socket");
  DO(chown("link", 9, 9));
  owner("dir"), owner("link");
  DO(rename("fifo", "renamed"));
  owner("renamed");
  DO(unlink("renamed"));
  mkfifo("renamed", 0600);
  owner("renamed");
}

CASE("a hard link has the same owner, a copy has not") {
  put("file", "x");
  chown("file", 3, 4);
  link("file", "hard");
  owner("hard");
  chown("hard", 5, 6);
  owner("file");
  put("copy", "x");
  owner("copy");
}

CASE("chown takes the set-id bits away, chmod sets them") {
  put("file", "x");
  DO(chmod("file", 06755));
  owner("file");
  chown("file", 1, 1);
  owner("file");
  mkdir("dir", 0755), chmod("dir", 03777);
  owner("dir");
  DO(chmod("nowhere", 0600));
}

CASE("root reads and writes what nobody may") {
  put("file", "secret\n");
  DO(chmod("file", 0));
  TEXT(open("file", O_RDONLY));
  OPEN(open("file", O_WRONLY));
  DO(access("file", R_OK | W_OK));
  DO(access("file", X_OK));
  owner("file");
  DO(truncate("file", 2));
  mkdir("closed", 0);
  OPEN(open("closed/file", O_CREAT | O_WRONLY, 0644));
  DO(rename("closed/file", "closed/other"));
  DO(link("closed/other", "linked"));
  DO(access("closed/other", F_OK));
  DO(unlink("closed/other"));
  DO(mkdir("closed/sub", 0));
  DO(rmdir("closed/sub"));
  owner("closed");
  DIR* list = opendir("closed");
  HOLDS(list != NULL);
  DO(chdir("closed"));
}

CASE("the umask counts") {
  umask(077);
  put("file", "");
  mkdir("dir", 0777);
  owner("file"), owner("dir");
  umask(0);
  OPEN(open("open", O_CREAT | O_WRONLY, 0666));
  mkfifo("fifo", 0666), mknod("plain", S_IFREG | 0606, 0);
  owner("open"), owner("fifo"), owner("plain");
  VALUE(umask(022));
}

CASE("in a set-group-id directory files have its group") {
  mkdir("dir", 0755), chown("dir", 0, 50), chmod("dir", 02775);
  put("dir/file", "");
  mkdir("dir/sub", 0755);
  symlink("x", "dir/link");
  owner("dir/file"), owner("dir/sub"), owner("dir/link");
}

CASE("device nodes are made and shown") {
  struct stat info;
  struct statx more;
  DO(mknod("null", S_IFCHR | 0640, makedev(1, 3)));
  stat("null", &info);
  SAY("null", "%o %u:%u size %ld", info.st_mode, major(info.st_rdev), minor(info.st_rdev), (long)info.st_size);
  statx(AT_FDCWD, "null", 0, STATX_BASIC_STATS, &more);
  SAY("statx", "%o %u:%u", more.stx_mode, more.stx_rdev_major, more.stx_rdev_minor);
  DO(mknod("disk", S_IFBLK | 0600, makedev(8, 17)));
  stat("disk", &info);
  SAY("disk", "%o %u:%u", info.st_mode, major(info.st_rdev), minor(info.st_rdev));
  DO(mknod("null", S_IFCHR | 0640, makedev(1, 3)));
  DO(chown("null", 0, 5));
  DO(chmod("null", 0666));
  owner("null");
  DO(rename("null", "other"));
  owner("other");
  DO(mknod("dir", S_IFDIR | 0755, 0));
  DO(unlink("other"));
}

CASE("the devices that every program needs") {
  char text[8] = "x";
  int fd = open("/dev/null", O_RDWR);
  VALUE(write(fd, "x", 1));
  VALUE(read(fd, text, 1));
  fd = open("/dev/zero", O_RDONLY);
  VALUE(read(fd, text, 4));
  VALUE(text[0]);
  VALUE(read(open("/dev/urandom", O_RDONLY), text, 4));
  VALUE(write(open("/dev/full", O_WRONLY), "x", 1));
  struct stat info;
  stat("/dev/null", &info);
  SAY("/dev/null", "%o %u:%u", info.st_mode, major(info.st_rdev), minor(info.st_rdev));
}

CASE("extended attributes are kept") {
  put("file", "");
  char value[64] = "", names[256] = "";
  DO(setxattr("file", "user.test", "value", 5, 0));
  VALUE(getxattr("file", "user.test", value, sizeof value));
  SAY("value", "%s", value);
  VALUE(listxattr("file", names, sizeof names));
  SAY("names", "%s", names);
  DO(setxattr("file", "user.test", "x", 1, XATTR_CREATE));
  DO(setxattr("file", "user.other", "x", 1, XATTR_REPLACE));
  VALUE(getxattr("file", "user.test", value, 2));
  int fd = open("file", O_RDONLY);
  VALUE(fgetxattr(fd, "user.test", value, sizeof value));
  VALUE(flistxattr(fd, names, sizeof names));
  DO(removexattr("file", "user.test"));
  VALUE(getxattr("file", "user.test", value, sizeof value));
  symlink("file", "link");
  DO(lsetxattr("link", "user.test", "x", 1, 0));
  DO(setxattr("link", "user.through", "x", 1, 0));
  VALUE(lgetxattr("link", "user.through", value, sizeof value));
  VALUE(getxattr("link", "user.through", value, sizeof value));
}

CASE("the lists show what was set, not what the engine remembers") {
  put("file", "");
  char names[256] = "";
  chown("file", 9, 9);
  VALUE(listxattr("file", names, sizeof names));
  setxattr("file", "user.mine", "x", 1, 0);
  VALUE(listxattr("file", NULL, 0));
  VALUE(listxattr("file", names, 3));
  VALUE(listxattr("file", names, sizeof names));
  SAY("names", "%s", names);
  VALUE(flistxattr(open("file", O_RDONLY), names, sizeof names));
}

CASE("stat shows what is open, whatever it is") {
  struct stat info;
  int ends[2];
  pipe(ends);
  HOLDS(fstat(ends[0], &info) == 0 && S_ISFIFO(info.st_mode));
  HOLDS(fstat(socket(AF_UNIX, SOCK_STREAM, 0), &info) == 0 && S_ISSOCK(info.st_mode));
  DO(fstat(999, &info));
  DO(stat("nowhere", &info));
  put("file", "12345");
  int fd = open("file", O_RDONLY);
  unlink("file");
  HOLDS(fstat(fd, &info) == 0 && info.st_nlink == 0 && info.st_size == 5 && info.st_uid == 0);
  DO(fchown(fd, 4, 4));
  fstat(fd, &info);
  SAY("owner", "%u", info.st_uid);
}

CASE("fchmodat2 and chmod through descriptors") {
  put("file", "");
  int fd = open("file", O_RDONLY);
  DO(fchmod(fd, 0640));
  owner("file");
  DO(fchmod(999, 0640));
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  DO(chmod(path, 0604));
  owner("file");
  DO(chown(path, 1, 2));
  owner("file");
}
