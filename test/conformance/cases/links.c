// Symbolic and hard links.
#include "case.h"

static void text(const char* name, const char* path, size_t room) {
  char to[4096];
  long n = readlink(path, to, room);
  if (n < 0) SAY(name, "%s", strerrorname_np(errno));
  else SAY(name, "%.*s", (int)n, to);
}

void links(void) {
  struct stat info;
  DOES("symlink", symlink("file", "relative"));
  DOES("an absolute one", symlink(HOME "/file", "absolute"));
  DOES("one to a directory", symlink("dir", "way"));
  DOES("one to itself", symlink("loop", "loop"));
  DOES("one to nothing", symlink("missing", "dangling"));
  symlink("/", "root"), symlink("../../../../..", "up"), symlink("relative", "chain");
  CALL("symlink over what is there", symlink("x", "file"));
  show("through a link", open("relative", O_RDONLY));
  show("through an absolute link", open("absolute", O_RDONLY));
  show("through a chain", open("chain", O_RDONLY));
  show("through a directory's link", open("way/inner", O_RDONLY));
  show("through the root's link", open("root/conformance/file", O_RDONLY));
  show("through a link that goes above the root", open("up/conformance/file", O_RDONLY));
  show("up from where a link leads", open("way/../file", O_RDONLY));
  OPENS("a loop", open("loop", O_RDONLY));
  OPENS("a link that is not followed", open("relative", O_RDONLY | O_NOFOLLOW));
  OPENS("a link itself", open("relative", O_PATH | O_NOFOLLOW));
  OPENS("a dangling link", open("dangling", O_RDONLY));
  OPENS("a dangling link and O_EXCL", open("dangling", O_CREAT | O_EXCL | O_WRONLY, 0644));
  OPENS("a file is made where a link leads", open("dangling", O_CREAT | O_WRONLY, 0644));
  DOES("there it is", unlink("missing"));
  CALL("mkdir over a dangling link", mkdir("dangling", 0755));
  text("readlink", "relative", 4096);
  text("readlink of an absolute one", "absolute", 4096);
  text("readlink of too little room", "absolute", 4);
  text("readlink of no link", "file", 4096);
  text("readlink of nothing", "nowhere", 4096);
  text("readlink with a slash", "way/", 4096);
  int fd = open("relative", O_PATH | O_NOFOLLOW);
  char to[64] = "";
  SAY("readlink of a descriptor", "%ld %s", (long)readlinkat(fd, "", to, sizeof to - 1), to);
  close(fd);
  SAY("lstat of a link", "%d", lstat("relative", &info) == 0 && S_ISLNK(info.st_mode));
  SAY("its size is that of its text", "%ld", (long)info.st_size);
  SAY("stat goes through", "%d", stat("relative", &info) == 0 && S_ISREG(info.st_mode));
  SAY("lstat with a slash goes through", "%d", lstat("way/", &info) == 0 && S_ISDIR(info.st_mode));
  CALL("stat of a dangling one", stat("dangling", &info));
  CALL("stat of a loop", stat("loop", &info));
  DOES("unlink takes the link", unlink("relative"));
  SAY("and leaves the file", "%d", access("file", F_OK));
  CALL("rmdir of a link", rmdir("way"));
  DOES("link", link("file", "hard"));
  stat("file", &info);
  SAY("the number of links", "%ld", (long)info.st_nlink);
  CALL("link over what is there", link("file", "hard"));
  CALL("link of a directory", link("dir", "hardDir"));
  DOES("link of a link", linkat(AT_FDCWD, "absolute", AT_FDCWD, "hardLink", 0));
  SAY("is a link", "%d", lstat("hardLink", &info) == 0 && S_ISLNK(info.st_mode));
  DOES("link of where it leads", linkat(AT_FDCWD, "absolute", AT_FDCWD, "hardFile", AT_SYMLINK_FOLLOW));
  SAY("is a file", "%d", lstat("hardFile", &info) == 0 && S_ISREG(info.st_mode));
  DOES("rename of a link", rename("absolute", "renamed"));
  text("takes the link", "renamed", 4096);
  static const char* const all[] = {"renamed", "way", "loop", "dangling", "root", "up", "chain", "hard", "hardLink", "hardFile"};
  for (unsigned i = 0; i < sizeof all / sizeof *all; i++) unlink(all[i]);
}
