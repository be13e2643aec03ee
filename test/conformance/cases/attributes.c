// What stat(2) shows, owners, modes, device nodes, extended attributes.
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "case.h"

static void owner(const char* name, const char* path) {
  struct stat info;
  if (lstat(path, &info) < 0) SAY(name, "%s", strerrorname_np(errno));
  else SAY(name, "%u:%u %o", info.st_uid, info.st_gid, info.st_mode);
}

void attributes(void) {
  struct stat info;
  struct statx extended;
  put("own", "x");
  owner("a new file is root's", "own");
  DOES("chown", chown("own", 8, 12));
  owner("is seen", "own");
  DOES("chown of the group alone", chown("own", -1, 5));
  owner("leaves the user", "own");
  statx(AT_FDCWD, "own", 0, STATX_BASIC_STATS, &extended);
  SAY("statx sees it too", "%u:%u", extended.stx_uid, extended.stx_gid);
  int fd = open("own", O_RDWR);
  fstat(fd, &info);
  SAY("and fstat", "%u:%u", info.st_uid, info.st_gid);
  DOES("fchown", fchown(fd, 0, 0));
  owner("back to root", "own");
  DOES("fchmod", fchmod(fd, 0600));
  close(fd);
  DOES("chmod with set-user-id", chmod("own", 04755));
  owner("set-user-id stays", "own");
  chown("own", 1, 1);
  owner("until the owner changes", "own");
  DOES("chmod to nothing", chmod("own", 0));
  OPENS("root reads what nobody may", open("own", O_RDONLY));
  OPENS("root writes what nobody may", open("own", O_WRONLY));
  SAY("access says so", "%d %d", access("own", R_OK), access("own", W_OK));
  CALL("but not that it can be executed", access("own", X_OK));
  owner("the mode is still nothing", "own");
  DOES("a closed directory", mkdir("closed", 0));
  OPENS("root makes files in it", open("closed/file", O_CREAT | O_WRONLY, 0644));
  DOES("and removes them", unlink("closed/file"));
  DOES("and it", rmdir("closed"));
  unlink("own");
  DOES("mknod of a device", mknod("device", S_IFCHR | 0640, makedev(1, 3)));
  stat("device", &info);
  SAY("is one", "%o %u:%u", info.st_mode, major(info.st_rdev), minor(info.st_rdev));
  unlink("device");
  DOES("mknod of a block device", mknod("device", S_IFBLK | 0600, makedev(8, 1)));
  stat("device", &info);
  SAY("is another", "%o %u:%u", info.st_mode, major(info.st_rdev), minor(info.st_rdev));
  unlink("device");
  DOES("mkfifo", mkfifo("fifo", 0644));
  DOES("chown of a fifo", chown("fifo", 3, 4));
  owner("is remembered", "fifo");
  unlink("fifo");
  symlink("x", "link");
  DOES("lchown of a link", lchown("link", 5, 6));
  owner("is remembered, too", "link");
  unlink("link");
  put("named", "");
  DOES("setxattr", setxattr("named", "user.test", "value", 5, 0));
  char value[64] = "", names[256];
  long n = getxattr("named", "user.test", value, sizeof value);
  SAY("getxattr", "%ld %s", n, value);
  chown("named", 9, 9);
  n = listxattr("named", names, sizeof names);
  SAY("the list shows what was set alone", "%ld %s", n, n > 0 ? names : "");
  DOES("removexattr", removexattr("named", "user.test"));
  CALL("then it is gone", getxattr("named", "user.test", value, sizeof value));
  unlink("named");
  mkdir("group", 02775), chmod("group", 02775), chown("group", 0, 50);
  put("group/file", "");
  owner("the group of a set-group-id directory", "group/file");
  unlink("group/file"), rmdir("group");
  umask(077);
  put("masked", "");
  umask(022);
  owner("the umask counts", "masked");
  unlink("masked");
  CALL("stat of nothing", stat("nowhere", &info));
  CALL("fstat of no descriptor", fstat(999, &info));
  DOES("stat of a descriptor's empty path", fstatat(fd = open("dir", O_RDONLY), "", &info, AT_EMPTY_PATH));
  CALL("stat of an empty path", fstatat(fd, "", &info, 0));
  close(fd);
  CALL("stat to a bad pointer", syscall(SYS_stat, "file", 8));
  int ends[2];
  pipe(ends);
  SAY("fstat of a pipe", "%d", fstat(ends[0], &info) == 0 && S_ISFIFO(info.st_mode));
  close(ends[0]), close(ends[1]);
}
